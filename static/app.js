// Roundtable Studio: what HTML cannot do by itself. Every page works without most of this.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (type, selector, handler) =>
  document.addEventListener(type, (event) => {
    const target = event.target instanceof Element && event.target.closest(selector);
    if (target) handler(event, target);
  });
const isTyping = (element) => element?.matches?.("input, textarea, select, [contenteditable]");

// ---- theme

on("click", ".switch-theme", () => {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme.includes("dark") &&
    (root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches));
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is switched off */ }
});

// ---- times in the reader's own zone

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
function showTimes(root) {
  for (const time of $$("[data-clock]:not([data-shown])", root)) {
    time.textContent = clock.format(new Date(time.dataset.clock));
    time.dataset.shown = "";
  }
  for (const time of $$("[data-when]", root)) time.title = new Date(time.dataset.when).toLocaleString();
}

// ---- code blocks: a button that copies

function addCopyButtons(root) {
  for (const head of $$(".prose .code-head:not([data-copy])", root)) {
    head.dataset.copy = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn ghost s copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(head.parentElement.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    head.append(button);
  }
}

// ---- the transcript stays at its end while the reader is there

const pinned = new WeakMap();
function pin(box) {
  pinned.set(box, true);
  box.addEventListener("scroll", () => {
    pinned.set(box, box.scrollHeight - box.scrollTop - box.clientHeight < 48);
  }, { passive: true });
  new MutationObserver(() => { if (pinned.get(box)) box.scrollTop = box.scrollHeight; })
    .observe(box, { childList: true, subtree: true, characterData: true });
  if (!location.hash) box.scrollTop = box.scrollHeight;
}

// ---- the live stream: htmx never retries a first connection that failed, so this does

const sseRetry = (element) => setTimeout(() => htmx.trigger(element, "sse:retry"), 500 + Math.random() * 500);
for (const name of ["htmx:error", "htmx:response:error", "htmx:sse:error"]) {
  document.addEventListener(name, (event) => {
    const element = event.target instanceof Element && event.target.closest("[hx-sse\\:connect]");
    if (element) sseRetry(element);
  });
}

// ---- what htmx could not do: say why

document.addEventListener("htmx:response:error", (event) => {
  if (event.target.closest?.("[hx-sse\\:connect]")) return;
  const ctx = event.detail?.ctx;
  let problem = {};
  try { problem = JSON.parse(ctx?.text || "{}"); } catch { /* not a problem of ours */ }
  toast(problem.errors?.[0]?.msg || problem.detail || problem.title || "The studio refused this.");
});
document.addEventListener("htmx:error", (event) => {
  if (!event.target.closest?.("[hx-sse\\:connect]")) toast("The studio does not answer. Nothing was changed.");
});
let offline = 0;
const setOffline = (away) => {
  clearTimeout(offline);
  if (away) offline = setTimeout(() => { document.body.dataset.offline = ""; }, 1500);
  else delete document.body.dataset.offline;
};
for (const name of ["htmx:sse:after:connection", "htmx:sse:after:message", "htmx:sse:close"]) document.addEventListener(name, () => setOffline(false));
for (const name of ["htmx:sse:error", "htmx:sse:before:connection"]) document.addEventListener(name, () => setOffline(true));

// ---- several tabs on one session: one that had ended learns that another went on

const transcript = $("#turns[data-session]");
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("studio-session") : null;
let streamEnded = transcript?.dataset.ended === "true";
document.addEventListener("done", () => { streamEnded = true; });
if (transcript && tabs) {
  tabs.postMessage({ session: transcript.dataset.session, run: Number(transcript.dataset.run), ended: streamEnded });
  tabs.addEventListener("message", ({ data }) => {
    if (data.session === transcript.dataset.session && streamEnded && !data.ended) location.reload();
  });
}

function toast(words) {
  const box = $("#toasts");
  if (!box) return;
  const item = document.createElement("div");
  item.className = "toast";
  const text = document.createElement("p");
  text.className = "grow";
  text.textContent = words;
  item.append(text);
  box.replaceChildren(item);
  setTimeout(() => item.remove(), 6000);
}
on("click", "[data-dismiss]", (_, button) => button.closest(".toast").remove());
if (location.search.includes("toast=")) {
  const url = new URL(location.href);
  url.searchParams.delete("toast");
  url.searchParams.delete("undo");
  history.replaceState(null, "", url);
  setTimeout(() => $("#toasts .toast")?.remove(), 12000);
}

// ---- tabs and the sheet of a phone

function selectTab(tab, focus) {
  for (const other of $$("[role=tab]", tab.closest("[role=tablist]"))) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    const pane = document.getElementById(other.getAttribute("aria-controls"));
    if (pane) pane.hidden = !chosen;
  }
  openSheet(tab.closest(".sheet"), true);
  if (focus) tab.focus();
}
function openSheet(sheet, open) {
  if (!sheet) return;
  sheet.classList.toggle("open", open);
  $(".sheet-grip", sheet)?.setAttribute("aria-expanded", sheet.classList.contains("open"));
}
on("click", "[role=tab]", (_, tab) => selectTab(tab));
on("keydown", "[role=tab]", (event, tab) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = $$("[role=tab]", tab.closest("[role=tablist]"));
  selectTab(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], true);
  event.preventDefault();
});
on("click", ".sheet-grip", (_, grip) => openSheet(grip.closest(".sheet"), !grip.closest(".sheet").classList.contains("open")));
on("click", "[data-tab]", (_, button) => { const tab = $(`#tab-${button.dataset.tab}`); if (tab) selectTab(tab); });

// ---- menus, dialogs

document.addEventListener("click", (event) => {
  for (const menu of $$(".menu-box[open]")) if (!menu.contains(event.target)) menu.open = false;
});
on("submit", "form[data-confirm]", (event, form) => {
  if (form.dataset.confirmed) return;
  event.preventDefault();
  const dialog = $("#confirm");
  $("h2", dialog).textContent = form.dataset.confirm;
  $("p", dialog).textContent = form.dataset.text;
  $("[value=yes]", dialog).textContent = form.dataset.yes;
  dialog.returnValue = "";
  dialog.onclose = () => {
    if (dialog.returnValue !== "yes") return;
    form.dataset.confirmed = "1";
    form.requestSubmit();
  };
  dialog.showModal();
});

// ---- forms: Ctrl+Enter, fills, rows, drafts

on("keydown", "[data-send], form[data-guard] input, form[data-guard] textarea", (event, field) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    field.form.requestSubmit();
  }
});
on("click", "[data-fill]", (_, button) => {
  const field = document.getElementsByName(button.dataset.fill)[0];
  if (!field) return;
  field.value = button.dataset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  field.focus();
});
function renumber(box) {
  const group = box.dataset.rows;
  $$("[data-row]", box).forEach((row, index) => {
    for (const field of $$("[name]", row)) {
      field.name = field.name.replace(new RegExp(`^${group}\\.\\d+`), `${group}.${index}`);
      const label = $(`label[for="${CSS.escape(field.id)}"]`, row);
      field.id = field.name;
      if (label) label.htmlFor = field.id;
    }
  });
}
const changed = (box) => box.dispatchEvent(new Event("change", { bubbles: true }));
on("click", "[data-add-row]", (_, button) => {
  const box = $(`[data-rows="${button.dataset.addRow}"]`);
  const copy = box.lastElementChild.cloneNode(true);
  for (const field of $$("input, textarea, select", copy)) field.value = "";
  box.append(copy);
  renumber(box);
  $("textarea, input, select", copy)?.focus();
});
on("change", "[data-grow] select", (_, select) => {
  const box = select.closest("[data-rows]");
  if (!select.value || [...box.querySelectorAll("select")].some((other) => !other.value)) return;
  const copy = box.lastElementChild.cloneNode(true);
  $("select", copy).value = "";
  box.append(copy);
  renumber(box);
});
on("click", "[data-remove-row]", (_, button) => {
  const box = button.closest("[data-rows]");
  if (box.children.length > 1) button.closest("[data-row]").remove();
  else for (const field of $$("select, input, textarea", box)) field.value = "";
  renumber(box);
  changed(box);
});
on("click", "[data-move]", (_, button) => {
  const row = button.closest("[data-row]");
  const other = button.dataset.move === "-1" ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (button.dataset.move === "-1") other.before(row); else other.after(row);
  renumber(row.parentElement);
  changed(row.parentElement);
  button.focus();
});

function offerDraft(form, key) {
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem(key) || "null"); } catch { /* nothing was kept */ }
  if (!kept?.length || $("[role=alert]", form)) return;
  const again = document.createElement("form");
  again.method = "post";
  again.action = `${location.pathname}?restore=1`;
  again.className = "callout";
  const text = document.createElement("p");
  text.className = "grow";
  text.textContent = "What you typed here before is kept.";
  const go = Object.assign(document.createElement("button"), { className: "btn s", type: "submit", textContent: "Go on with it" });
  const drop = Object.assign(document.createElement("button"), { className: "btn s ghost", type: "button", textContent: "Discard it" });
  drop.addEventListener("click", () => { sessionStorage.removeItem(key); again.remove(); });
  for (const [name, value] of kept) again.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  again.append(text, go, drop);
  (form.closest(".page") ?? $("#notes", form.parentElement) ?? form.parentElement).prepend(again);
}
for (const form of $$("form[data-guard]")) {
  let timer = 0;
  let dirty = false;
  const key = `draft:${location.pathname}`;
  const isNew = !form.dataset.autosave && location.pathname.endsWith("/new");
  const fields = () => [...new FormData(form)].filter(([name]) => name !== "api_key");
  if (isNew && !location.search) offerDraft(form, key);
  const save = () => {
    if (isNew) {
      try { sessionStorage.setItem(key, JSON.stringify(fields())); } catch { /* storage is full */ }
    } else if (form.dataset.autosave) {
      const body = new URLSearchParams(fields());
      fetch(form.dataset.autosave, { method: "POST", body }).catch(() => {});
    }
  };
  form.addEventListener("input", () => { dirty = true; clearTimeout(timer); timer = setTimeout(save, 800); });
  form.addEventListener("submit", () => { dirty = false; clearTimeout(timer); try { sessionStorage.removeItem(key); } catch { /* nothing */ } });
  addEventListener("pagehide", () => { if (dirty && form.dataset.autosave) navigator.sendBeacon(form.dataset.autosave, new URLSearchParams(fields())); });
}
on("change", "#team[name=workflow]", (_, select) => {
  const task = $("#task");
  const example = select.selectedOptions[0]?.dataset.example || "";
  if (task && example) task.placeholder = `What should the team work on? For example: ${example}`;
});

// ---- the command palette and the keyboard

const PLACES = [["Home", "/"], ["Sessions", "/sessions"], ["Workflows", "/workflows"], ["Agents", "/agents"],
  ["Models", "/models"], ["Skills", "/skills"], ["Settings", "/settings"], ["Status", "/status"], ["New workflow", "/workflows/new"], ["New agent", "/agents/new"],
  ["Add a model", "/models/new"], ["New skill", "/skills/new"], ["What should your agents talk on?", "/welcome"]];
const ACTIONS = { "Switch theme": () => $(".switch-theme").click(), "Keyboard shortcuts": () => $("#shortcuts").showModal(),
  "Log out": () => $("form[action='/logout']").requestSubmit() };
const palette = $("#palette");
let search = 0;
let filled = Promise.resolve();
async function fillPalette(words) {
  const list = $("#palette-list");
  const here = PLACES.filter(([title]) => title.toLowerCase().includes(words.toLowerCase()))
    .map(([title, url]) => ({ title, url, kind: "go to" }));
  const actions = Object.keys(ACTIONS).filter((title) => title.toLowerCase().includes(words.toLowerCase()))
    .map((title) => ({ title, url: "#", kind: "do" }));
  const mine = ++search;
  let found = [];
  try {
    found = await (await fetch(`/parts/palette?q=${encodeURIComponent(words)}`)).json();
  } catch { /* the studio does not answer: its places are still shown */ }
  if (mine !== search) return;
  if (!here.length && !actions.length && !found.length) {
    const none = document.createElement("p");
    none.className = "muted";
    none.textContent = `Nothing is called “${words}”.`;
    list.replaceChildren(none);
    return;
  }
  list.replaceChildren(...[...here, ...actions, ...found].slice(0, 40).map((item, index) => {
    const option = document.createElement("a");
    option.className = "opt";
    option.href = item.url;
    option.id = `opt-${index}`;
    option.setAttribute("role", "option");
    option.dataset.action = item.kind === "do" ? item.title : "";
    option.setAttribute("aria-selected", index === 0);
    const title = document.createElement("span");
    title.className = "trunc";
    title.textContent = item.title;
    const kind = document.createElement("span");
    kind.className = "end";
    kind.textContent = item.kind;
    option.append(title, kind);
    return option;
  }));
  $("input", palette).setAttribute("aria-activedescendant", "opt-0");
}
function openPalette() {
  if (!palette || palette.open) return;
  palette.showModal();
  const input = $("input", palette);
  input.value = "";
  filled = fillPalette("");
  input.focus();
}
on("click", "[data-open=palette]", openPalette);
palette?.addEventListener("input", (event) => { filled = fillPalette(event.target.value); });
palette?.addEventListener("keydown", (event) => {
  const options = $$(".opt", palette);
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) {
    event.preventDefault();
    const next = (at + step + options.length) % options.length;
    options.forEach((option, index) => option.setAttribute("aria-selected", index === next));
    options[next].scrollIntoView({ block: "nearest" });
    $("input", palette).setAttribute("aria-activedescendant", options[next].id);
  } else if (event.key === "Enter") {  // chosen from what was typed, not from what is still shown
    event.preventDefault();
    filled.then(() => $(".opt[aria-selected=true]", palette)?.click());
  }
});
palette?.addEventListener("click", (event) => {
  const option = event.target.closest(".opt");
  if (!option?.dataset.action) return;
  event.preventDefault();
  palette.close();
  ACTIONS[option.dataset.action]();
});

let goTo = false;
document.addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    openPalette();
    return;
  }
  if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (goTo) {
    goTo = false;
    const url = { h: "/", s: "/sessions", w: "/workflows", a: "/agents", m: "/models", k: "/skills" }[event.key];
    if (url) location.href = url;
    return;
  }
  if (event.key === "g") goTo = true;
  else if (event.key === "?") $("#shortcuts")?.showModal();
  else if (event.key === "/") { const field = $("input[type=search]"); if (field) { event.preventDefault(); field.focus(); } }
  else if (event.key === "j" || event.key === "k") stepTurn(event.key === "j" ? 1 : -1);
});
function stepTurn(step) {
  const box = $(".transcript");
  if (!box) return;
  const turns = $$(".turn:not([hidden])", box).filter((turn) => turn.checkVisibility());
  const top = box.getBoundingClientRect().top + 8;
  const at = turns.findIndex((turn) => turn.getBoundingClientRect().top >= top);
  const next = turns[Math.max(0, Math.min(turns.length - 1, (at < 0 ? turns.length - 1 : at) + step))];
  next?.scrollIntoView({ block: "start" });
}
on("click", "[data-focus-form]", (event, link) => {
  const card = $(link.getAttribute("href"));
  if (!card) return;
  event.preventDefault();
  unfoldAround(card);
  card.scrollIntoView({ block: "center" });
  $("textarea, input:not([type=hidden]), select, button", card)?.focus({ preventScroll: true });
});

// ---- hidden tabs: one of them asks how many sessions wait for a person

const title = document.title;
const channel = "BroadcastChannel" in window ? new BroadcastChannel("studio-waiting") : null;
let lastHeard = 0;
const showWaiting = (number) => { document.title = number ? `(${number}) ${title}` : title; };
channel?.addEventListener("message", (event) => { lastHeard = Date.now(); if (document.hidden) showWaiting(event.data); });
setInterval(async () => {
  if (!document.hidden || Date.now() - lastHeard < 9000) return;
  try {
    const { waiting } = await (await fetch("/parts/waiting")).json();
    showWaiting(waiting);
    channel?.postMessage(waiting);
  } catch { /* the studio is away for a moment */ }
}, 10000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) document.title = title; });

// ---- sessions: threads unfold and fold by themselves until the reader has said otherwise

const wantsUnfolded = (fold) => $(":scope > summary [data-unfold]", fold)?.dataset.unfold === "true";
function unfoldAround(element) {
  for (let fold = element.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    fold.open = true;
    fold.dataset.chosen = "true";
  }
}
on("click", "[data-thread] > summary", (_, head) => { head.parentElement.dataset.chosen = "true"; });
document.addEventListener("htmx:after:swap", () => {
  for (const fold of $$("[data-thread]:not([data-chosen])")) {
    const wanted = wantsUnfolded(fold);
    const box = fold.closest("[data-pin]");
    // Folding what somebody reads would pull the page from under their eyes.
    if (fold.open !== wanted && (wanted || !box || pinned.get(box))) fold.open = wanted;
  }
});
document.addEventListener("htmx:after:swap", () => {
  const wrong = $(".ask-card [aria-invalid=true]:not([data-met])");
  if (!wrong) return;
  for (const field of $$(".ask-card [aria-invalid=true]")) field.dataset.met = "";
  wrong.focus();
});
// Code that may be changed gets its editor when its fold is opened: most people never need its 450 kB.
const fetched = new Map();
function fetchScript(source) {
  if (!fetched.has(source)) {
    fetched.set(source, new Promise((loaded, failed) => {
      document.head.append(Object.assign(document.createElement("script"), { src: source, onload: loaded, onerror: failed }));
    }));
  }
  return fetched.get(source);
}
async function fetchEditor(fold) {
  try {
    for (const source of fold.dataset.needs.split(" ")) await fetchScript(source);
  } catch { /* the text area serves as well */ }
}
for (const fold of $$("details[data-needs][open]")) fetchEditor(fold);
document.addEventListener("toggle", ({ target }) => { if (target.open && target.dataset.needs) fetchEditor(target); }, true);
on("click", "[data-show-thread]", (event, link) => {
  const target = $(link.getAttribute("href"));
  if (!target) return;
  event.preventDefault();
  unfoldAround($(":scope > details > summary", target) ?? target);
  target.scrollIntoView({ block: "start" });
});

// ---- sessions: questions that answer themselves count down

function leftWords(seconds) {
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours >= 48) return `${Math.round(hours / 24)} days`;
  if (hours >= 1) return `${hours} h ${minutes % 60} min`;
  return minutes >= 1 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}
function countDown() {
  for (const line of $$("[data-deadline]")) {
    const seconds = (new Date(line.dataset.deadline) - Date.now()) / 1000;
    line.textContent = `${line.dataset.words} ${seconds < 1 ? "now" : `in ${leftWords(seconds)}`}.`;
  }
}
setInterval(countDown, 1000);

// ---- playback of a finished session

function playback(stage) {
  const inOrder = (selector) => $$(selector, stage).sort((a, b) => a.dataset.order - b.dataset.order);
  const blocks = inOrder(".turns > li:not(.thread, .thread-node)");
  const turns = inOrder(".turn[data-place]");
  const threads = $$(".turns > :is(.thread, .thread-node)", stage).reverse();
  const track = $(".track", stage);
  const ticks = $$(".tick", track);
  const position = $("[data-position]", stage);
  const playButton = $("[data-play]", stage);
  const box = $(".transcript", stage);
  let at = turns.length;
  let speed = 1;
  let timer = 0;
  let typing = 0;

  const finishTyping = () => {
    cancelAnimationFrame(typing);
    for (const ghost of $$(".typed", stage)) {
      ghost.previousElementSibling.hidden = false;
      ghost.remove();
    }
  };
  const hide = (block, isLater) => { block.classList.toggle("later", isLater); block.style.display = isLater ? "none" : ""; };
  const show = (number) => {
    finishTyping();
    at = Math.max(1, Math.min(turns.length, number));
    const last = turns[at - 1];
    const end = at === turns.length ? Infinity : Number(last?.dataset.order);
    for (const block of blocks) hide(block, Number(block.dataset.order) > end);
    for (const thread of threads) {  // from the inside out: one in which nothing was said yet is hidden
      hide(thread, end < Infinity && !$(".turns > li:not(.later)", thread));
      const fold = $(":scope > details", thread);
      if (fold && !fold.dataset.chosen) fold.open = wantsUnfolded(fold) || (end < Infinity && thread.contains(last));
    }
    ticks.forEach((tick, index) => tick.classList.toggle("past", index < at));
    position.textContent = `Turn ${at} of ${turns.length}`;
    track.setAttribute("aria-valuenow", at);
    track.setAttribute("aria-valuetext", `Turn ${at} of ${turns.length}, ${last?.dataset.agent ?? ""}`);
    if (!last || end === Infinity) box.scrollTop = box.scrollHeight;
    else last.scrollIntoView({ block: "end" });
  };
  const label = (words) => playButton.setAttribute("aria-label", words);
  const stop = () => { clearTimeout(timer); timer = 0; finishTyping(); stage.dataset.playing = ""; label("Play"); };
  const seconds = (turn) => Math.min(12, Math.max(0.4, (new Date(turn.dataset.end) - new Date(turn.dataset.at)) / 1000));
  const type = (turn, duration) => {
    const prose = $(".prose", turn);
    if (!prose) return;
    const text = prose.innerText;
    const ghost = document.createElement("div");
    ghost.className = "prose streaming typed";
    prose.hidden = true;
    prose.after(ghost);
    const begun = performance.now();
    const frame = (now) => {
      const part = Math.min(1, (now - begun) / (duration * 1000));
      ghost.textContent = text.slice(0, Math.ceil(text.length * part));
      turn.scrollIntoView({ block: "end" });
      if (part < 1 && timer) typing = requestAnimationFrame(frame);
    };
    typing = requestAnimationFrame(frame);
  };
  const next = () => {
    if (at >= turns.length) { stop(); return; }
    show(at + 1);
    const duration = seconds(turns[at - 1]) / speed;
    timer = setTimeout(next, duration * 1000 + 350 / speed);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) type(turns[at - 1], duration);
  };
  const play = () => {
    if (timer) { stop(); return; }
    if (speed === 0) { show(turns.length); return; }
    if (at >= turns.length) show(1);
    stage.dataset.playing = "true";
    label("Pause");
    timer = setTimeout(next, 600 / speed);
  };
  const step = (by) => { stop(); show(at + by); };

  playButton.addEventListener("click", play);
  for (const button of $$("[data-step]", stage)) button.addEventListener("click", () => step(Number(button.dataset.step)));
  for (const button of $$("[data-speed]", stage)) button.addEventListener("click", () => {
    speed = Number(button.dataset.speed);
    for (const other of $$("[data-speed]", stage)) other.setAttribute("aria-pressed", other === button);
    if (speed === 0) { stop(); show(turns.length); }
  });
  const scrub = (event) => {
    const found = ticks.findIndex((tick) => event.clientX <= tick.getBoundingClientRect().right);
    stop();
    show(found < 0 ? turns.length : found + 1);
  };
  track.addEventListener("pointerdown", (event) => { track.setPointerCapture(event.pointerId); scrub(event); });
  track.addEventListener("pointermove", (event) => { if (track.hasPointerCapture(event.pointerId)) scrub(event); });
  track.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (by) step(by);
    else if (event.key === "Home") { stop(); show(1); }
    else if (event.key === "End") { stop(); show(turns.length); }
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (isTyping(event.target) || $("dialog[open]") || event.target.closest?.("button, a, [role=slider], summary")) return;
    if (event.key === " ") { event.preventDefault(); play(); }
    else if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
  });
  if (turns.length) show(turns.length);
}

// ---- start, and after every swap

function enliven(root) {
  showTimes(root);
  addCopyButtons(root);
  countDown();
}
enliven(document);
for (const box of $$("[data-pin]")) pin(box);
for (const stage of $$("[data-playback]")) playback(stage);
document.addEventListener("htmx:after:swap", () => enliven(document));
document.addEventListener("htmx:after:process", () => enliven(document));

// ---- agents: a row that was moved or removed is a change like typing; a new one has no faults

on("change", "[data-rows]", (event, box) => {
  if (event.target === box) box.dispatchEvent(new Event("input", { bubbles: true }));
});
on("click", "[data-add-row]", (_, button) => {
  const made = $(`[data-rows="${button.dataset.addRow}"]`).lastElementChild;
  for (const error of $$(".error", made)) error.remove();
  for (const field of $$("[aria-invalid]", made)) field.removeAttribute("aria-invalid");
});

// ---- workflows: links follow the names of nodes as they are typed; rows that the server changed count as typed

on("input", "[data-names-node]", (_, field) => {
  for (const option of $$(`option[data-node="${field.dataset.namesNode}"]`)) {
    option.value = field.value;
    option.textContent = field.value || "without a name";
  }
});
on("htmx:after:swap", "[data-part]", (_, part) => part.dispatchEvent(new Event("input", { bubbles: true })));
let held = null;  // a form that waits for a part: it would be sent without what is disabled
on("submit", "form:has([data-part]:disabled)", (event, form) => {
  event.preventDefault();
  held = { form, submitter: event.submitter };
});
document.addEventListener("htmx:after:swap", () => {
  const waiting = held;
  held = null;
  waiting?.form.requestSubmit(waiting.submitter);
});
for (const name of ["htmx:error", "htmx:response:error"]) document.addEventListener(name, () => { held = null; });

// ---- files of a message: each is sent as soon as it is chosen or dropped, and the form only names it

const sending = new WeakMap();  // form -> how many are on their way
function attachFiles(form, files) {
  for (const file of files) attachFile(form, file);
}
function attachFile(form, file) {
  const row = $("[data-attached-row]", form).content.firstElementChild.cloneNode(true);
  const bar = $("progress", row);
  $("span", row).textContent = row.title = file.name;
  bar.setAttribute("aria-label", `Sending ${file.name}`);
  $("button", row).setAttribute("aria-label", `Remove ${file.name}`);
  $("[data-attached]", form).append(row);
  const request = new XMLHttpRequest();
  const body = new FormData();
  body.append("file", file);
  row.addEventListener("detach", () => request.abort());
  request.upload.addEventListener("progress", (event) => { bar.value = event.loaded / event.total; });
  request.addEventListener("loadend", () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText || "{}"); } catch { /* not an answer of ours */ }
    sending.set(form, sending.get(form) - 1);
    if (request.status === 201) {
      const size = answer.bytes < 1e6 ? `${Math.max(1, Math.round(answer.bytes / 1000))} kB` : `${(answer.bytes / 1e6).toFixed(1)} MB`;
      bar.replaceWith(Object.assign(document.createElement("span"), { className: "muted num", textContent: size }));
      row.append(Object.assign(document.createElement("input"), { type: "hidden", name: "attachments", value: answer.id }));
    } else if (row.isConnected) {
      row.remove();
      delete form.dataset.queued;
      toast(`${file.name}: ${answer.errors?.[0]?.msg || answer.detail || "the studio does not answer"}.`);
    }
    if (!sending.get(form) && "queued" in form.dataset) form.requestSubmit();
  });
  sending.set(form, (sending.get(form) || 0) + 1);
  request.open("POST", "/api/files");
  request.send(body);
}
on("change", "[data-attach]", (_, input) => {
  attachFiles(input.form, input.files);
  input.value = "";
});
on("click", "[data-detach]", (_, button) => {
  const row = button.closest("li");
  const kept = $("[name=attachments]", row);
  if (kept) fetch(`/api/files/${kept.value}`, { method: "DELETE" }).catch(() => {});
  const form = button.form;
  row.dispatchEvent(new Event("detach"));
  row.remove();
  $("[data-attach]", form)?.focus();
});
on("submit", "form:has([data-attach])", (event, form) => {
  if (!sending.get(form)) return;
  event.preventDefault();  // goes by itself once all files are there
  form.dataset.queued = "";
});
for (const type of ["dragover", "dragleave", "drop"]) on(type, "form:has([data-attach])", (event, form) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  form.classList.toggle("drop", type === "dragover");
  if (type === "drop") attachFiles(form, event.dataTransfer.files);
});
