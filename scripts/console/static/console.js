// Refreshes the parts of a page that are marked data-live="SECONDS": it gets the same page again and takes them from it.
"use strict";

const parts = () => [...document.querySelectorAll("[data-live]")];
const line = document.getElementById("live-state");
let refreshedAt = Date.now();

const stops = (part) => [...part.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];

function opened(part) {
  return [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
}

function replace(old, fresh) {
  const held = opened(old), focused = stops(old).indexOf(document.activeElement);
  const scrolled = [...old.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  for (const id of held) {
    const again = fresh.querySelector(`#${CSS.escape(id)}`);
    if (again) again.open = true;
  }
  if (old.innerHTML === fresh.innerHTML) return;
  old.replaceWith(fresh);
  [...fresh.querySelectorAll(".scroll")].forEach((one, place) => { one.scrollLeft = scrolled[place] ?? 0; });
  if (focused >= 0) stops(fresh)[focused]?.focus({ preventScroll: true });
}

function say(text, lost) {
  line.hidden = !text;
  line.classList.toggle("lost", lost);
  if (line.textContent !== text) line.textContent = text;
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) throw new Error(page.querySelector("h1")?.textContent ?? `HTTP ${answer.status}`);
    const fresh = [...page.querySelectorAll("[data-live]")];
    parts().forEach((old, place) => fresh[place] && replace(old, document.importNode(fresh[place], true)));
    if (parts().some((one) => one.dataset.until === "over")) document.getElementById("change")?.remove();
    refreshedAt = Date.now();
    say("", false);
  } catch (error) {
    const seconds = Math.round((Date.now() - refreshedAt) / 1000);
    const why = error instanceof TypeError ? "the console does not answer: has oms console ended?" : error.message;
    say(`not refreshed for ${seconds} s: ${why}`, true);
  }
}

async function keepFresh() {
  for (;;) {
    const live = parts();
    if (!live.length || live.some((one) => one.dataset.until === "over")) return;
    await new Promise((done) => setTimeout(done, 1000 * Math.min(...live.map((one) => Number(one.dataset.live)))));
    if (!document.hidden) await refresh();
  }
}

keepFresh();
