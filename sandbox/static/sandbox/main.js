import * as chat from "./chat.js";
import * as composer from "./composer.js";
import { $ } from "./dom.js";
import * as people from "./people.js";
import * as recorder from "./recorder.js";
import { onChange, read } from "./state.js";
import * as weather from "./weather.js";

function showClock() {
  $("clock").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

read();
people.start();
composer.start();
recorder.start();
weather.start();
onChange(chat.refresh);
await people.load();
chat.start(composer.bubbleActions);
showClock();
setInterval(showClock, 10_000);
