// What tests/browser/manners.py asks a page; each is a function without arguments.
globalThis.manners = {
  labels: () => {
  const named = (el) => (el.getAttribute("aria-label") || el.getAttribute("title") || el.innerText || el.labels?.[0]?.innerText ||
    document.getElementById(el.getAttribute("aria-labelledby"))?.innerText || el.querySelector("title")?.textContent || "").trim();
  const seen = (el) => el.getClientRects().length > 0 && el.checkVisibility();  // not what lies in a closed details
  const faults = [];
  for (const el of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, [role=img], [role=button]"))
    if (seen(el) && !named(el)) faults.push("no name: " + el.outerHTML.slice(0, 120));
  for (const el of document.querySelectorAll("img")) if (seen(el) && !el.hasAttribute("alt")) faults.push("no alt: " + el.src);
  if (!document.documentElement.lang) faults.push("no lang");
  if (!document.title) faults.push("no title");
  if (!document.querySelector("main")) faults.push("no main");
  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push("id twice: " + id);
  return faults;
},
  contrast: () => {
  const parse = (text) => { const n = text.match(/[\d.]+/g).map(Number); return { r: n[0], g: n[1], b: n[2], a: n[3] ?? 1 }; };
  const over = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a), a: 1 });
  const ground = (el) => {
    const layers = [];
    for (let one = el; one; one = one.parentElement) { const c = parse(getComputedStyle(one).backgroundColor); layers.push(c); if (c.a === 1) break; }
    return layers.reverse().reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const light = (c) => { const f = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b); };
  const faults = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || ["SCRIPT", "STYLE", "OPTION"].includes(el.tagName) || el.closest("svg")) continue;
    const style = getComputedStyle(el), box = el.getBoundingClientRect();
    if (!el.getClientRects().length || style.visibility === "hidden" || box.width < 2 || el.closest("[disabled]")) continue;
    const under = ground(el), ink = over(parse(style.color), under);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.add(`${ratio.toFixed(2)}: ${el.className || el.tagName} "${walk.currentNode.textContent.trim().slice(0, 30)}"`);
  }
  return [...faults];
},
  reachable: () => [...document.querySelectorAll("a[href], button:not([disabled]), input:not([type=hidden]), select, textarea")]
  .filter((el) => el.getClientRects().length && el.checkVisibility() && getComputedStyle(el).visibility !== "hidden" && el.tabIndex >= 0).length,
  focus: () => { const el = document.activeElement, style = getComputedStyle(el);
  return [el === document.body, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, el.outerHTML.slice(0, 100)]; },
};
