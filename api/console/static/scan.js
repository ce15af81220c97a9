// Reads the QR code of a label: by the camera, else from a photo; where the browser can read no codes, it is typed.
"use strict";
(() => {
  const LOOK_MS = 200;

  class Scan extends HTMLElement {
    #texts = {}; #stream = null; #timer = null;
    set texts(value) { this.#texts = value; }
    get texts() { return this.#texts; }

    connectedCallback() {
      if (!("BarcodeDetector" in window)) { this.say(this.#texts.absent); return; }
      this.detector = new BarcodeDetector({ formats: ["qr_code"] });
      if (navigator.mediaDevices?.getUserMedia) this.button();
      this.photo();
    }
    disconnectedCallback() { this.stop(); }

    button() {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "primary";
      button.textContent = this.#texts.scan;
      button.addEventListener("click", () => (this.#stream ? this.stop() : this.start(button)));
      this.append(button);
    }

    photo() {
      const label = document.createElement("label"), input = document.createElement("input");
      label.className = "button";
      input.type = "file"; input.accept = "image/*"; input.capture = "environment"; input.className = "sr";
      label.append(this.#texts.photo, input);
      input.addEventListener("change", async () => {
        const file = input.files[0];
        input.value = "";
        if (!file) return;
        try { this.found(await this.detector.detect(await createImageBitmap(file)), true); } catch { this.say(this.#texts.none); }
      });
      this.append(label);
    }

    async start(button) {
      try {
        this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      } catch { this.say(this.#texts.refused); return; }
      button.textContent = this.#texts.stop;
      this.video = document.createElement("video");
      this.video.muted = this.video.playsInline = true;
      this.video.srcObject = this.#stream;
      this.append(this.video);
      await this.video.play();
      this.again = () => (button.textContent = this.#texts.scan);
      this.#timer = setInterval(() => this.look(), LOOK_MS);
    }

    async look() {
      if (this.looking || !this.#stream) return;
      this.looking = true;
      try { this.found(await this.detector.detect(this.video), false); } catch { /* the next picture may do */ }
      this.looking = false;
    }

    found(codes, last) {
      const text = codes[0]?.rawValue;
      if (!text) { if (last) this.say(this.#texts.none); return; }
      this.stop();
      this.dispatchEvent(new CustomEvent("code", { detail: text }));
    }

    stop() {
      clearInterval(this.#timer);
      this.#stream?.getTracks().forEach((track) => track.stop());
      this.#stream = null;
      this.video?.remove();
      this.again?.();
    }

    say(text) {
      this.told ??= this.appendChild(Object.assign(document.createElement("p"), { role: "status" }));
      this.told.textContent = text;
    }
  }
  customElements.define("anhu-scan", Scan);
})();
