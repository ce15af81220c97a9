// Watches the line between this page and the platform, and says loudly when it is down.
"use strict";
(() => {
  const PULSE_MS = 4000, TIMEOUT_MS = 3500, SOCKET_GRACE_MS = 1500;
  const time = (moment) => new Date(moment).toLocaleTimeString("zh-CN", { hour12: false, timeZone: "Asia/Shanghai" });

  class Line extends HTMLElement {
    #texts = {};
    #down = null;      // "server", "api" or null
    #since = null;
    #socketLostAt = null;
    set texts(value) { this.#texts = value; }
    get texts() { return this.#texts; }

    connectedCallback() {
      this.setAttribute("role", "alert");
      this.setAttribute("aria-live", "assertive");
      this.timer = setInterval(() => this.pulse(), PULSE_MS);
      this.watch = setInterval(() => this.socket(), 300);
      window.addEventListener("offline", () => this.show("server"));
      window.addEventListener("online", () => this.pulse());
      document.addEventListener("visibilitychange", () => document.hidden || this.pulse());
      setTimeout(() => this.pulse(), 1500);
    }
    disconnectedCallback() { clearInterval(this.timer); clearInterval(this.watch); }

    async pulse() {
      if (this.asking) return;
      this.asking = true;
      try {
        const answer = await fetch("/pulse", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
        if (answer.status === 401) {
          location.href = "/signin?ended=1&next=" + encodeURIComponent(location.pathname + location.search);
          return;
        }
        if (!answer.ok) throw new Error(String(answer.status));
        const state = await answer.json();
        if (!state.api) this.show("api", state.since);
        else if (this.#socketLostAt === null) this.show(null);
        if (this.reloadWhenBack) location.reload();
      } catch {
        this.show("server");
      } finally {
        this.asking = false;
      }
    }

    // NiceGUI would reload the page after a timeout, into the browser's own error page; here the page stays and waits.
    socket() {
      const socket = window.socket;
      if (!socket) return;
      if (!this.hooked) {
        this.hooked = true;
        socket.off("connect_error");
        socket.on("connect_error", (error) => {
          if (error.message === "Implicit handshake failed") { this.reloadWhenBack = true; this.pulse(); }
          else if (error.message === "timeout") socket.io.opts.transports = ["polling", "websocket"];
        });
      }
      if (socket.connected) {
        if (this.#socketLostAt !== null) { this.#socketLostAt = null; this.pulse(); }
      } else if (this.#socketLostAt === null) {
        this.#socketLostAt = Date.now();
      } else if (Date.now() - this.#socketLostAt > SOCKET_GRACE_MS) {
        this.show("server");
      }
    }

    show(what, since) {
      if (what === this.#down) return;
      const was = this.#down;
      this.#down = what;
      clearTimeout(this.fading);
      document.documentElement.classList.toggle("line-down", what !== null);
      if (what !== null) {
        this.#since = since || (was === null ? Date.now() : this.#since);
        this.className = "down";
        this.replaceChildren(
          Object.assign(document.createElement("b"), { textContent: "⚠ " + this.#texts[what + "_down"] }),
          Object.assign(document.createElement("span"), {
            textContent: `${this.#texts.since} ${time(this.#since)} · ${this.#texts.retry}`,
          }),
        );
      } else if (was !== null) {
        this.className = "back";
        this.textContent = "✓ " + this.#texts.back;
        this.fading = setTimeout(() => { this.className = ""; this.textContent = ""; }, 4000);
      }
    }
  }
  customElements.define("anhu-line", Line);
})();
