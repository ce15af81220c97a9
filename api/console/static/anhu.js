// The living parts of the console's pages: alarm, board, queue, clocks. Data comes as properties and method calls.
"use strict";
(() => {
  const esc = (text) => String(text ?? "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const clock = (seconds) => {
    const s = Math.max(0, Math.floor(seconds)), m = Math.floor(s / 60), two = (n) => String(n).padStart(2, "0");
    return m < 60 ? `${m}:${two(s % 60)}` : `${Math.floor(m / 60)}:${two(m % 60)}:${two(s % 60)}`;
  };

  // What a person prefers, kept in the browser.
  const keep = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`; };
  document.addEventListener("change", (event) => {
    const name = event.target.dataset?.pref;
    if (name) { keep(name, event.target.value); location.reload(); }
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-dark]");
    if (!button) return;
    const dark = !document.body.classList.contains("body--dark");
    keep(button.dataset.dark, dark ? 1 : 0);
    Quasar.Dark.set(dark);
  });

  // --- alarm: sound and title while an emergency waits for an answer -------------------------------------------------
  const REPEAT_MS = 4000;
  let audio = null;
  const ready = () => audio !== null && audio.state === "running";
  const wake = () => {
    audio ??= new AudioContext();
    if (audio.state !== "running") audio.resume().catch(() => {});
  };
  for (const gesture of ["pointerdown", "keydown"]) document.addEventListener(gesture, wake, { passive: true });

  function tone(critical) {
    if (!ready()) return;
    const notes = critical ? [880, 1174, 880, 1174] : [660, 784];
    notes.forEach((pitch, index) => {
      const at = audio.currentTime + index * 0.22;
      const source = audio.createOscillator(), volume = audio.createGain();
      source.type = "triangle";
      source.frequency.value = pitch;
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(0.5, at + 0.02);
      volume.gain.linearRampToValueAtTime(0, at + 0.2);
      source.connect(volume).connect(audio.destination);
      source.start(at);
      source.stop(at + 0.22);
    });
  }

  const bell = (slash) => `<svg class="i" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4${slash}"/></svg>`;
  const BELL = [bell("M3 3l18 18"), bell("")];

  class Alarm extends HTMLElement {
    #texts = {}; #waiting = []; #muted = localStorage.getItem("anhu-muted") === "1"; #title = "";
    set texts(value) { this.#texts = value; }
    get texts() { return this.#texts; }
    set waiting(value) { this.ring(value); }
    get waiting() { return this.#waiting; }

    connectedCallback() {
      this.#title = document.title;
      this.button = document.createElement("button");
      this.button.type = "button";
      this.button.className = "icon sound";
      this.button.addEventListener("click", () => {
        this.#muted = !this.#muted;
        localStorage.setItem("anhu-muted", this.#muted ? "1" : "0");
        wake();
        if (!this.#muted) setTimeout(() => tone(false), 100);
        this.paint();
      });
      this.append(this.button);
      this.paintTimer = setInterval(() => this.paint(), 1000);
      this.repeat = setInterval(() => this.sound(), REPEAT_MS);
      // A first look: most browsers say at once whether sound is allowed.
      try { audio ??= new AudioContext(); } catch { audio = null; }
      this.paint();
    }
    disconnectedCallback() { clearInterval(this.paintTimer); clearInterval(this.repeat); document.title = this.#title; }

    ring(waiting) {
      const known = new Map(this.#waiting.map((one) => [one.id, one.n]));
      const fresh = waiting.some((one) => (known.get(one.id) ?? 0) < one.n);
      this.#waiting = waiting;
      if (fresh) this.sound();
      if (this.isConnected) this.paint();
    }

    sound() {
      if (this.#muted || !this.#waiting.length) return;
      this.rung = (this.rung ?? 0) + 1;
      tone(this.#waiting.some((one) => one.severity === "critical"));
    }

    paint() {
      if (!this.button) return;
      const state = this.#muted ? "muted" : ready() ? "on" : "off";
      if (this.button.dataset.state !== state) {
        this.button.dataset.state = state;
        const text = this.#texts["sound_" + state];
        this.button.innerHTML = BELL[state === "on" ? 1 : 0] + (state === "off" ? `<span>${esc(text)}</span>` : "");
        this.button.title = state === "off" ? `${text}: ${this.#texts.sound_hint}` : text;
        this.button.setAttribute("aria-label", `${this.#texts.label}: ${text}`);
        this.button.setAttribute("aria-pressed", String(state === "on"));
      }
      const n = this.#waiting.length;
      this.flash = n > 0 && !this.flash;
      document.title = n === 0 ? this.#title : this.flash ? `● (${n}) ${this.#texts.flash}` : `(${n}) ${this.#title}`;
      document.documentElement.classList.toggle("emergency", n > 0);
    }
  }
  customElements.define("anhu-alarm", Alarm);

  // --- board: every resident as a card -------------------------------------------------------------------------------
  const SIGNS = { critical: "‼", high: "!", medium: "▲", low: "●", none: "⊘", partly: "◐", away: "⇥", ok: "✓" };
  const ORDER = { critical: 0, high: 1, medium: 2, low: 3, none: 4, partly: 5, away: 6, ok: 7 };
  const VITALS = ["heart_rate", "spo2", "body_temp", "bp"];
  const PIN = '<svg class="i" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2"><path d="M12 21c-4-5-7-8-7-11a7 7 0 0 1 14 0c0 3-3 6-7 11z"/><circle cx="12" cy="10" r="2.5"/></svg>';
  const WIDTH = 72, HEIGHT = 22;

  // A line through values at even steps; a gap stays a gap.
  function spark(given, step) {
    // A short history takes the whole width, but never looks like more than it is: six steps at least.
    const values = given.slice(Math.min(Math.max(given.findIndex((v) => v !== null), 0), Math.max(given.length - 6, 0)));
    const known = values.filter((v) => v !== null);
    if (known.length < 2) return "";
    let low = Math.min(...known), high = Math.max(...known);
    if (high - low < step) { const middle = (high + low) / 2; low = middle - step / 2; high = middle + step / 2; }
    const x = (i) => (2 + (i * (WIDTH - 4)) / (values.length - 1)).toFixed(1);
    const y = (v) => (HEIGHT - 3 - ((v - low) / (high - low)) * (HEIGHT - 6)).toFixed(1);
    let path = "", pen = false, last = "";
    values.forEach((v, i) => {
      if (v === null) { pen = false; return; }
      path += `${pen ? "L" : "M"}${x(i)} ${y(v)}`;
      if (!pen && (values[i + 1] ?? null) === null) path += "h.1";
      pen = true;
      last = `<circle cx="${x(i)}" cy="${y(v)}" r="2"/>`;
    });
    return `<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"><path d="${path}"/>${last}</svg>`;
  }

  class Board extends HTMLElement {
    #texts = {}; #cards = new Map(); #skew = 0; #link = "";
    #filter = sessionStorage.getItem("anhu-filter") || "all";
    #floor = ""; #query = ""; #private = localStorage.getItem("anhu-initials") === "1";
    set texts(value) { this.#texts = value; }
    get texts() { return this.#texts; }
    set link(value) { this.#link = value; }
    get link() { return this.#link; }
    set now(value) { this.#skew = value - Date.now(); }
    get now() { return Date.now() + this.#skew; }
    set cards(value) { this.#cards = new Map(value.map((one) => [one.id, one])); if (this.isConnected) this.draw(); }
    get cards() { return [...this.#cards.values()]; }

    connectedCallback() {
      if (this.bar) return;
      const t = this.#texts;
      this.bar = document.createElement("div");
      this.bar.className = "board-bar";
      this.bar.innerHTML =
        `<input type="search" aria-label="${esc(t.search)}" placeholder="${esc(t.search)}">` +
        `<div class="chips" role="group"></div>` +
        `<select aria-label="${esc(t.floor)}"></select>` +
        `<label class="check"><input type="checkbox" ${this.#private ? "checked" : ""}> ${esc(t.initials)}</label>`;
      this.body = document.createElement("div");
      this.replaceChildren(this.bar, this.body);
      this.bar.querySelector("input[type=search]").addEventListener("input", (event) => {
        this.#query = event.target.value.trim().toLowerCase();
        this.sift();
      });
      this.bar.querySelector("select").addEventListener("change", (event) => { this.#floor = event.target.value; this.sift(); });
      this.bar.querySelector("input[type=checkbox]").addEventListener("change", (event) => {
        this.#private = event.target.checked;
        localStorage.setItem("anhu-initials", this.#private ? "1" : "0");
        this.draw();
      });
      this.bar.querySelector(".chips").addEventListener("click", (event) => {
        const chip = event.target.closest("button");
        if (!chip) return;
        this.#filter = chip.dataset.filter;
        sessionStorage.setItem("anhu-filter", this.#filter);
        this.sift();
      });
      this.draw();
      this.timer = setInterval(() => this.tick(), 1000);
    }
    disconnectedCallback() { clearInterval(this.timer); }

    // Changed residents alone; `gone` are ids that are no longer there.
    patch(changed, gone) {
      let moved = false;
      for (const id of gone ?? []) { this.#cards.delete(id); moved = true; }
      for (const card of changed) {
        const old = this.#cards.get(card.id);
        moved ||= !old || old.k !== card.k;
        this.#cards.set(card.id, card);
        if (moved) continue;
        const node = document.getElementById("r-" + card.id);
        if (node) node.replaceWith(this.node(card));
      }
      if (moved) this.draw(); else this.sift();
    }

    node(card) {
      const frame = document.createElement("template");
      frame.innerHTML = this.card(card);
      return frame.content.firstElementChild;
    }

    draw() {
      if (!this.body) return;
      const groups = new Map();
      for (const card of [...this.#cards.values()].sort((a, b) => (a.k < b.k ? -1 : 1))) {
        if (!groups.has(card.g)) groups.set(card.g, []);
        groups.get(card.g).push(card);
      }
      this.body.innerHTML = [...groups].map(([name, cards]) =>
        `<section data-group="${esc(name)}"><h2>${esc(name || this.#texts.nofloor)} <small></small></h2>` +
        `<div class="cards">${cards.map((one) => this.card(one)).join("")}</div></section>`).join("") +
        `<p class="notice" hidden>${esc(this.#texts.empty)}</p>`;
      const select = this.bar.querySelector("select");
      select.innerHTML = `<option value="">${esc(this.#texts.floors)}</option>` +
        [...groups.keys()].filter(Boolean).map((name) => `<option ${name === this.#floor ? "selected" : ""}>${esc(name)}</option>`).join("");
      this.sift();
      this.dataset.ready = String(this.#cards.size);
      performance.mark("board-ready");
    }

    group(card) {
      if (["critical", "high", "medium", "low"].includes(card.s)) return "alert";
      return { none: "notmonitored", partly: "fine", away: "away", ok: "fine" }[card.s];
    }

    sift() {
      const counts = { all: 0, alert: 0, notmonitored: 0, away: 0, fine: 0 };
      let shown = 0;
      for (const section of this.body.children) {
        if (section.tagName !== "SECTION") { section.hidden = shown > 0; continue; }
        let here = 0;
        for (const node of section.lastElementChild.children) {
          const card = this.#cards.get(node.id.slice(2)), group = this.group(card);
          counts.all++; counts[group]++;
          const fits = (this.#filter === "all" || this.#filter === group) &&
            (!this.#floor || this.#floor === card.g) && (!this.#query || card.q.includes(this.#query));
          if (node.hidden === fits) node.hidden = !fits;
          if (fits) here++;
        }
        section.hidden = here === 0;
        section.firstElementChild.lastElementChild.textContent = `${here}`;
        shown += here;
      }
      this.bar.querySelector(".chips").innerHTML = Object.entries(counts).map(([name, n]) =>
        `<button type="button" data-filter="${name}" aria-pressed="${name === this.#filter}">` +
        `${esc(this.#texts[name])} <b>${n}</b></button>`).join("");
    }

    ago(moment) {
      const t = this.#texts, s = (this.now - moment) / 1000;
      if (s < 60) return t.now;
      if (s < 3600) return fill(t.minutes, { n: Math.floor(s / 60) });
      if (s < 86400) return fill(t.hours, { n: Math.floor(s / 3600) });
      return fill(t.days, { n: Math.floor(s / 86400) });
    }

    card(card) {
      const t = this.#texts;
      const name = this.#private ? card.i : card.n;
      const vitals = VITALS.filter((one) => card.v[one]).map((one) => {
        const [value, at, unit] = card.v[one];
        const old = this.now - at > 3600e3 ? " old" : "";
        return `<div class="vital${old}" title="${esc(this.ago(at))}"><span>${esc(t[one])}</span><b>${esc(value)}</b>` +
          `<small>${esc(unit)}</small>${spark(card.t[one] ?? [], one === "heart_rate" ? 12 : one === "body_temp" ? 1 : 4)}</div>`;
      }).join("");
      const alerts = card.a.map((one) =>
        `<div class="why ${esc(one.s)}"><span class="sign" aria-hidden="true">${SIGNS[one.s]}</span>` +
        `<span>${esc(one.n)}</span><span class="state">${esc(one.st)}</span>` +
        `<time data-from="${one.at}">${clock((this.now - one.at) / 1000)}</time></div>`).join("");
      const state = esc(card.sn);
      return `<a class="card ${card.s}" id="r-${card.id}" href="${esc(card.a.length ? "/desk?alert=" + card.a[0].id : this.#link ? this.#link + card.id : "#r-" + card.id)}">` +
        `<div class="head"><span class="avatar" aria-hidden="true">${esc(card.i.slice(0, 1))}</span>` +
        `<span class="name"><b>${esc(name)}</b><small>${esc(card.r)}</small></span>` +
        `<span class="tag"><span aria-hidden="true">${SIGNS[card.s]}</span> ${state}</span></div>` +
        (alerts || (card.w ? `<div class="why quiet" title="${esc(card.wt)}">${esc(card.w)}</div>` : "")) +
        `<div class="vitals">${vitals}</div>` +
        `<div class="seen">${card.p ? `${PIN}<span class="sr">${esc(t.seen)}</span> <b>${esc(card.p[0])}</b> <time data-ago="${card.p[1]}">${esc(this.ago(card.p[1]))}</time>` : esc(t.unseen)}</div></a>`;
    }

    tick() {
      for (const node of this.body.querySelectorAll("time[data-from]")) node.textContent = clock((this.now - node.dataset.from) / 1000);
      this.ticks = (this.ticks ?? 0) + 1;
      if (this.ticks % 20) return;
      for (const node of this.body.querySelectorAll("time[data-ago]")) node.textContent = this.ago(Number(node.dataset.ago));
    }
  }
  customElements.define("anhu-board", Board);

  // --- queue: alerts by urgency, with clocks and one tap to answer ----------------------------------------------------
  const STEPS = { open: ["acknowledge", "arrive"], acknowledged: ["arrive", "resolve"], on_site: ["resolve"] };
  const ANSWER_S = 60, LATE_S = 180;

  class Queue extends HTMLElement {
    #texts = {}; #alerts = []; #skew = 0; #picked = ""; #rows = new Map(); #busy = new Map();
    set texts(value) { this.#texts = value; }
    get texts() { return this.#texts; }
    set now(value) { this.#skew = value - Date.now(); }
    get now() { return Date.now() + this.#skew; }
    set picked(value) { this.#picked = value; }
    get picked() { return this.#picked; }
    set alerts(value) { this.#alerts = value; if (this.list) this.draw(); }
    get alerts() { return this.#alerts; }

    connectedCallback() {
      if (this.list) return;
      this.list = document.createElement("ol");
      this.list.className = "queue";
      this.none = document.createElement("p");
      this.none.className = "notice calm";
      this.none.textContent = "✓ " + this.#texts.empty;
      this.replaceChildren(this.none, this.list);
      this.list.addEventListener("click", (event) => {
        const row = event.target.closest("li"), button = event.target.closest("button[data-act]");
        if (!row) return;
        const id = row.dataset.id;
        if (!button) { this.pick(id); this.tell("pick", { id }); return; }
        if (button.dataset.act === "resolve") { this.pick(id); this.tell("pick", { id, resolve: true }); return; }
        if (this.#busy.has(id)) return;
        const alert = this.#alerts.find((one) => one.id === id);
        this.#busy.set(id, setTimeout(() => this.settle(id), 12000));
        row.classList.add("busy");
        this.tell("act", { id, action: button.dataset.act, version: alert.version });
      });
      this.draw();
      this.timer = setInterval(() => this.tick(), 250);
    }
    disconnectedCallback() { clearInterval(this.timer); }
    tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

    show(alerts) { this.alerts = alerts; }
    pick(id) { this.#picked = id; for (const row of this.list.children) row.setAttribute("aria-current", String(row.dataset.id === id)); }
    settle(id) {
      clearTimeout(this.#busy.get(id));
      this.#busy.delete(id);
      this.#rows.get(id)?.node.classList.remove("busy");
    }

    draw() {
      const alive = new Set();
      let before = null;
      for (const alert of this.#alerts) {
        alive.add(alert.id);
        const text = JSON.stringify(alert);
        let row = this.#rows.get(alert.id);
        if (!row) {
          row = { node: document.createElement("li"), text: "" };
          row.node.dataset.id = alert.id;
          row.node.dataset.new = "1";
          this.#rows.set(alert.id, row);
        }
        if (row.text !== text) {
          const held = row.node.contains(document.activeElement) ? document.activeElement.dataset.act || "open" : null;
          row.text = text;
          row.node.innerHTML = this.row(alert);
          row.node.className = `${alert.severity} ${alert.state}`;
          row.node.setAttribute("aria-current", String(alert.id === this.#picked));
          if (held) (row.node.querySelector(`[data-act="${held}"]`) ?? row.node.querySelector("button"))?.focus();
          this.settle(alert.id);
        }
        const place = before ? before.nextSibling : this.list.firstChild;
        if (place !== row.node) this.list.insertBefore(row.node, place);
        before = row.node;
      }
      for (const [id, row] of this.#rows) if (!alive.has(id)) { row.node.remove(); this.#rows.delete(id); this.settle(id); }
      this.none.hidden = this.#alerts.length > 0;
      this.dataset.ready = String(this.#alerts.length);
      this.tick();
    }

    row(alert) {
      const t = this.#texts;
      const steps = (STEPS[alert.state] ?? []).map((act, index) =>
        `<button type="button" class="${index ? "" : "primary"}" data-act="${act}">${esc(t[act])}</button>`).join("");
      const who = alert.who ? `<span class="who"><i class="dot ${alert.onsite ? "there" : ""}" aria-hidden="true"></i>${esc(alert.who)} · ${esc(alert.state_name)}</span>` : "";
      return `<div class="badge"><span class="sign" aria-hidden="true">${SIGNS[alert.severity]}</span><span>${esc(alert.severity_name)}</span></div>` +
        `<button type="button" class="what" data-open aria-label="${esc(t.open)}: ${esc(alert.type_name)} ${esc(alert.resident)}">` +
        `<b>${esc(alert.type_name)}</b>${alert.n > 1 ? ` <i>×${alert.n}</i>` : ""}${alert.test ? ` <i>${esc(t.drill)}</i>` : ""}` +
        `<span class="whom">${esc(alert.resident || t.nobody)}</span><span class="place">${esc(alert.place)}</span></button>` +
        `<div class="times"><time class="run" data-clock></time><div class="meter"><i></i></div><small data-late></small>` +
        `<small class="next" data-next></small></div>` +
        `<div class="acts">${who}${steps}</div>`;
    }

    tick() {
      const t = this.#texts, now = this.now;
      for (const alert of this.#alerts) {
        const node = this.#rows.get(alert.id)?.node;
        if (!node) continue;
        const end = alert.answered ?? now, seconds = (end - alert.opened) / 1000;
        const put = (part, text) => { const one = node.querySelector(part); if (one && one.textContent !== text) one.textContent = text; };
        put("[data-clock]", alert.answered ? fill(t.answered_in, { n: clock(seconds) }) : clock(seconds));
        node.dataset.over = alert.urgent ? (seconds >= LATE_S ? "2" : seconds >= ANSWER_S ? "1" : "0") : "0";
        if (alert.urgent) node.querySelector(".meter i").style.width = `${Math.min(100, (seconds / LATE_S) * 100)}%`;
        else node.querySelector(".meter").hidden = true;
        put("[data-late]", !alert.urgent ? "" : seconds >= LATE_S ? t.over_180 : seconds >= ANSWER_S ? t.over_60 :
          alert.answered ? t.in_time : fill(t.left_60, { n: Math.ceil(ANSWER_S - seconds) }));
        let next = "";
        if (alert.next) {
          const left = (alert.next.due - now) / 1000;
          next = fill(left > 0 ? t.next_in : t.next_due, { zh: alert.next.zh, en: alert.next.en, n: clock(left) });
        } else if (alert.state === "acknowledged" && alert.deadline) {
          const left = (alert.deadline - now) / 1000;
          next = left > 0 ? fill(t.arrive_in, { n: clock(left) }) : t.arrive_late;
        }
        put("[data-next]", next);
      }
    }
  }
  customElements.define("anhu-queue", Queue);
})();
