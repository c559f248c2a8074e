setInterval(() => postMessage(null), 1750);
