// Makes the pages live. Every page works without it: this fetches the page that it is on again when something happened,
// and puts the parts that changed in place. What senders sent is text that the server escaped; nothing here makes markup
// of a string.

const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/** A page of ours as a document: parsed by the browser, its scripts never run. */
function fetchPage(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => (request.status === 200 && request.responseXML ? resolve(request.responseXML) : reject(new Error(String(request.status))));
    request.onerror = request.ontimeout = () => reject(new Error("unreachable"));
    request.send();
  });
}

// ── one tree into another ──────────────────────────────────────────────────────────────────────────────────────────

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.dataset.key || node.id)) || null;

/** Makes `old` what `fresh` is, and leaves alone what is the same: focus, selection, what is open and scrolled. */
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh)) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (name === "hidden" && old.hasAttribute("data-js")) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const keyed = new Map([...old.childNodes].map((node) => [keyOf(node), node]).filter(([key]) => key));
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const known = key ? keyed.get(key) : place && !keyOf(place) ? place : null;
    if (!known) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else old.insertBefore(known, place);
    morph(known, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** Puts the parts of a page in place that are `data-region`. */
function place(page, wanted = () => true) {
  for (const fresh of all("[data-region]", page)) {
    const old = document.getElementById(fresh.id);
    if (old && wanted(fresh.id)) morph(old, fresh);
  }
  const [panes, fresh] = [find("#panes"), find("#panes", page)];
  if (panes && fresh) panes.className = fresh.className;
  enliven();
}

// ── what only a script can do is offered only with one ─────────────────────────────────────────────────────────────

const said = find("#said");
const say = (words) => {
  said.textContent = words;
};

function enliven() {
  for (const offered of all("[data-js][hidden]")) offered.hidden = false;
  tick();
}

/** Relative times go on. The words are those of the server. */
function tick() {
  const now = Date.now();
  for (const time of all("time[datetime]")) {
    const seconds = Math.floor(now / 1000) - Math.floor(Date.parse(time.dateTime) / 1000);
    const words = relative(seconds);
    if (words && time.textContent !== words) time.textContent = words;
  }
}

function relative(seconds) {
  const apart = Math.abs(seconds);
  const units = [[60, 1, "s"], [3600, 60, "min"], [172800, 3600, "h"], [604800, 86400, "d"]];
  if (apart < 2) return "just now";
  const unit = units.find(([below]) => apart < below);
  if (!unit) return null;
  const words = `${Math.floor(apart / unit[1])} ${unit[2]}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

// ── live ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const stream = find("#stream");
const pause = find("#pause");
const title = document.title;
let paused = false;
let missed = 0;
let unread = 0;
let due = 0;
let busy = false;

function show(state, words) {
  stream.dataset.state = state;
  find(".words", stream).textContent = words;
}

/** Soon, once, and not while another is under way: a burst of a thousand events is a few fetches. */
function refresh() {
  if (due || document.hidden) {
    due ||= document.hidden ? -1 : 0;
    return;
  }
  due = setTimeout(async () => {
    if (busy) {
      due = 0;
      refresh();
      return;
    }
    busy = true;
    due = 0;
    try {
      const before = new Set(all("[data-event]").map((row) => row.dataset.event));
      const address = location.href;
      const page = await fetchPage(address);
      if (address === location.href && !paused) {
        place(page);
        if (before.size) for (const row of all(".events .event")) row.classList.toggle("fresh", !before.has(row.dataset.event));
      }
    } catch {
      if (!paused) show("lost", "server is away");
    } finally {
      busy = false;
    }
  }, 250);
}

function happened(kind) {
  const arrived = kind === "event.received";
  if (arrived && document.hidden) {
    unread += 1;
    document.title = `(${unread}) ${title}`;
  }
  if (!paused) {
    if (arrived) say("An event arrived");
    refresh();
  } else if (arrived) {
    missed += 1;
    show("paused", `paused, ${missed} new`);
  }
}

function setPaused(on) {
  paused = on;
  missed = 0;
  pause?.setAttribute("aria-pressed", String(on));
  show(on ? "paused" : state, on ? "paused" : state);
  say(on ? "Paused" : "Live again");
  if (!on) refresh();
}

// A browser has six connections to a server at most, and a stream holds one for ever: one tab listens and tells the others.
const KINDS = ["event.received", "event.refused", "delivery.attempted", "delivery.changed"];
const tabs = "BroadcastChannel" in window && navigator.locks ? new BroadcastChannel("stream") : null;
let leads = false;
let state = "connecting";

function tell(news) {
  hear(news);
  tabs?.postMessage(news);
}

function hear(news) {
  if (news.kind) happened(news.kind);
  if (news.state) {
    // What happened while nobody listened.
    if (news.state === "live" && !news.answers) refresh();
    state = news.state;
    if (!paused) show(state, { live: "live", lost: "reconnecting", gone: "not live" }[state] ?? state);
  }
}

function listen() {
  leads = true;
  const source = new EventSource("/api/v1/stream");
  for (const kind of KINDS) source.addEventListener(kind, () => tell({ kind }));
  source.onopen = () => tell({ state: "live" });
  source.onerror = () => {
    const gone = source.readyState === EventSource.CLOSED;
    tell({ state: gone ? "gone" : "lost" });
    if (gone) setTimeout(listen, 5000);
  };
  addEventListener("pagehide", () => source.close(), { once: true });
}

function begin() {
  if (!tabs) {
    listen();
    return;
  }
  tabs.onmessage = ({ data }) => {
    if (!data.asks) hear(data);
    else if (leads) tabs.postMessage({ state, answers: true });
  };
  tabs.postMessage({ asks: true });
  // Held until this tab goes; then it is another one's turn.
  navigator.locks.request("stream", () => {
    listen();
    return new Promise(() => {});
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
  if (due === -1) due = 0;
  refresh();
});

// ── the two panes ──────────────────────────────────────────────────────────────────────────────────────────────────

const wide = matchMedia("(min-width: 62rem)");

async function open(address, push) {
  const page = await fetchPage(address);
  if (push) history.pushState(null, "", address);
  place(page);
  const pane = find("#pane");
  if (pane) pane.scrollTop = 0;
  const heading = find("#pane h2");
  if (heading) say(`Opened ${heading.textContent}`);
}

document.addEventListener("click", (event) => {
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const link = event.target.closest("a");
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  if (!link || !plain) return;
  if (link.matches("a.event") && wide.matches) {
    event.preventDefault();
    open(link.href, true).catch(() => location.assign(link.href));
  } else if (link.dataset.swap) {
    event.preventDefault();
    swap(link).catch(() => location.assign(link.href));
  }
});

/** Another view of a part, in its place. */
async function swap(link) {
  const page = await fetchPage(link.href);
  const [old, fresh] = [document.getElementById(link.dataset.swap), page.getElementById(link.dataset.swap)];
  if (!old || !fresh) throw new Error("there is no such part");
  morph(old, fresh);
  enliven();
  const body = new URL(link.href).searchParams.get("body");
  if (body) {
    // The next refresh shows the same view.
    const here = new URL(location.href);
    here.searchParams.set("body", body);
    history.replaceState(null, "", here);
  } else {
    const here = new URL(location.href);
    if (here.pathname.startsWith("/events/")) {
      here.searchParams.set("diff", "1");
      history.replaceState(null, "", here);
    }
  }
  find(`#${link.dataset.swap} [aria-current]`)?.focus();
}

addEventListener("popstate", () => open(location.href, false).catch(() => location.reload()));

async function copy(button) {
  const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    button.textContent = "Not copied";
    say("The browser does not let this page copy");
  }
  setTimeout(() => {
    button.textContent = words;
  }, 1500);
}

// ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const help = find("#help");
const keysOn = find("#keys-on");
const KEPT = "keys";
let going = false;

try {
  keysOn.checked = localStorage.getItem(KEPT) !== "off";
} catch {
  // Without storage they are on.
}
keysOn.addEventListener("change", () => {
  try {
    localStorage.setItem(KEPT, keysOn.checked ? "on" : "off");
  } catch {
    // It holds for this page.
  }
});

const rows = () => all("a.event, a[data-row]");

function move(step) {
  const list = rows();
  const here = list.indexOf(document.activeElement);
  const current = here >= 0 ? here : list.findIndex((row) => row.hasAttribute("aria-current"));
  const next = list[Math.min(Math.max(current + step, 0), list.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function press(id) {
  const button = document.getElementById(id);
  button?.closest("details")?.setAttribute("open", "");
  button?.click();
}

const deeds = {
  j: () => move(1),
  k: () => move(-1),
  r: () => {
    const button = find("#replay button");
    button?.focus();
    button?.scrollIntoView({ block: "nearest" });
    if (button) say("Enter replays it");
  },
  c: () => press("copy-curl"),
  y: () => press("copy-id"),
  p: () => pause && setPaused(!paused),
  "/": () => {
    const field = find("#q");
    if (field) field.focus();
    else location.assign("/");
  },
  "?": () => help.showModal(),
  Escape: () => {
    const row = find("a.event[aria-current]");
    if (row) row.focus();
    else if (location.pathname.startsWith("/events/")) history.back();
  },
};

// Where a key is a letter, or moves through choices. A checkbox takes the space bar alone. The one in the help keeps the
// focus after its dialog has closed, until the browser draws its next frame, so that it must not swallow the next key.
const TYPED = "input:not([type=checkbox]), select, textarea, dialog[open]";

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest(TYPED);
  if (typing && event.key === "Escape" && event.target.id === "q") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn.checked) return;
  if (going) {
    going = false;
    const link = find(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      location.assign(link.href);
    }
    return;
  }
  if (event.key === "g") {
    going = true;
    setTimeout(() => {
      going = false;
    }, 1500);
    return;
  }
  const deed = deeds[event.key];
  if (deed) {
    event.preventDefault();
    deed();
  }
});

find("#keys")?.addEventListener("click", () => help.showModal());
pause?.addEventListener("click", () => setPaused(!paused));

// ── begin ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const here = new URL(location.href);
if (here.searchParams.has("done")) {
  // It was said; the next refresh is of the page without it.
  here.searchParams.delete("done");
  history.replaceState(null, "", here);
}
enliven();
setInterval(tick, 5000);
if (find("[data-region]")) begin();
