// A voice note from the microphone.
import { sendFile } from "./composer.js";
import { tell } from "./dialogs.js";
import { $ } from "./dom.js";

// In order of preference: Meta's format first, then what other browsers can record.
const TYPES = ["audio/ogg;codecs=opus", "audio/mp4;codecs=opus", "audio/mp4", "audio/webm;codecs=opus"];
let recorder = null;
let pieces = [];
let ticking = 0;
let keep = false;

async function begin() {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    return tell("No microphone", [["Reason", "This browser can't record on this page. Send a voice note from a file instead."]]);
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (problem) {
    return tell("No microphone", [["Reason", `${problem.message}. Send a voice note from a file instead.`]]);
  }
  pieces = [];
  recorder = new MediaRecorder(stream, { mimeType: TYPES.find((type) => MediaRecorder.isTypeSupported(type)) });
  recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
  recorder.addEventListener("stop", () => finish(stream));
  recorder.start();
  const since = Date.now();
  ticking = setInterval(() => show(Math.floor((Date.now() - since) / 1000)), 250);
  show(0);
  $("recording").hidden = false;
  return $("record-send").focus();
}

function show(seconds) {
  $("record-time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function finish(stream) {
  clearInterval(ticking);
  stream.getTracks().forEach((track) => track.stop());
  $("recording").hidden = true;
  if (!keep) return;
  const type = recorder.mimeType.replace(";", "; ");
  const extension = type.includes("ogg") ? "ogg" : type.includes("mp4") ? "m4a" : "webm";
  sendFile("audio", new Blob(pieces, { type }), `voice.${extension}`, { voice: true, spoken: $("record-spoken").value.trim() });
  $("record-spoken").value = "";
}

function end(kept) {
  keep = kept;
  recorder?.stop();
}

export function start() {
  $("record").addEventListener("click", begin);
  $("record-send").addEventListener("click", () => end(true));
  $("record-cancel").addEventListener("click", () => end(false));
}
