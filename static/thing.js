// The page of one thing: how far it is, and the words of a recording as they are spoken.
"use strict";

(() => {
  const { FINISHED, find, findAll, get, inWords, localTimes, repeat, say } = window.pages;
  const article = find("article");

  // -- how far it is

  /** Replace the parts that the server says otherwise now; a recording plays on. */
  const refresh = async () => {
    const text = await get(location.pathname + location.search, "text/html");
    const page = new DOMParser().parseFromString(text, "text/html");
    const held = document.activeElement?.id;
    const typed = document.activeElement?.value;
    for (const old of findAll("[data-region]")) {
      const fresh = find(`[data-region="${old.dataset.region}"]`, page);
      if (fresh) {
        localTimes(fresh);
        const folds = new Map(findAll("details", old).map((fold) => [fold.id, fold.open]));
        for (const fold of findAll("details", fresh)) fold.open = folds.get(fold.id) ?? fold.open;
        old.replaceWith(fresh);
      }
    }
    const again = held ? document.getElementById(held) : null;
    again?.focus();
    if (again?.matches("input")) again.value = typed;
    document.title = page.title;
    dispatchEvent(new Event("refreshed"));
  };

  const show = ({ percent, doing, trouble, advice }) => {
    find("progress", article).value = percent;
    find("[data-doing]", article).textContent = doing;
    find("[data-trouble]", article).textContent = trouble;
    find("[data-advice]", article).textContent = advice;
    find("[data-problem]", article).hidden = !trouble;
  };

  if (article.dataset.poll) {
    const status = () => find("[data-status]", article).dataset.status;
    const attempt = () => Number(find("[data-attempt]", article).dataset.attempt);

    const beingMade = () => Boolean(find("[data-being-made]", article));

    const look = async () => {
      const { asset } = await get(article.dataset.poll, "application/json");
      if (beingMade()) {
        if (asset.being_made) return;
        await refresh();
        say(find("[data-looked]", article)?.textContent.trim() ?? "");
      } else if (asset.status === status() && asset.attempt === attempt()) {
        show(asset.now);
      } else {
        await refresh();
        say(`${find("[data-name]", article).textContent}: ${inWords(status())}`);
      }
    };
    repeat(look, () => !FINISHED.test(status()) || beingMade());
  }

  // -- a recording: hear a line by a click, and see which one is spoken

  const player = find("[data-player]");
  if (!player) return;

  const OURS = 1000; // ms in which a scroll is the one that was begun here
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const follow = find("[data-follow]");
  let lines = [];
  let spoken = null;
  let last = null; // the line that is spoken, or was before a pause
  let following = true;
  let scrolled = -OURS;

  const read = () => {
    lines = findAll("[data-start]").map((node) => ({
      node,
      start: Number(node.dataset.start),
      end: Number(node.dataset.end),
    }));
    spoken = last = null;
  };

  const inView = (node) => {
    const line = node.getBoundingClientRect();
    const box = player.parentElement.getBoundingClientRect();
    const above = box.left < line.right && box.right > line.left ? Math.max(box.bottom, 0) : 0;
    const below = find("[data-places]")?.getBoundingClientRect().top ?? innerHeight;
    return line.top >= above && line.bottom <= below;
  };

  const bring = (node) => {
    scrolled = performance.now();
    node.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  };

  const heed = (wanted) => {
    following = wanted;
    follow.hidden = wanted;
  };

  const mark = () => {
    const now = player.currentTime;
    const found = player.ended ? null : lines.findLast(({ start, end }) => start <= now && now < end);
    const node = found?.node ?? null;
    if (node === spoken) return;
    spoken?.removeAttribute("aria-current");
    node?.setAttribute("aria-current", "true");
    spoken = node;
    last = node ?? last;
    if (node && following && !inView(node)) bring(node);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-start]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    heed(true);
    player.currentTime = Number(link.dataset.start);
    player.play().catch((error) => {
      // Not when somebody pauses it before it has begun.
      if (error.name === "NotSupportedError") location.assign(link.href);
    });
  });
  follow.addEventListener("click", () => {
    heed(true);
    player.focus({ preventScroll: true }); // the button is gone
    if (last) bring(last);
  });
  addEventListener("scroll", () => {
    if (!last || performance.now() - scrolled < OURS) return;
    heed(inView(last));
  }, { passive: true });
  for (const kind of ["wheel", "touchmove", "keydown"]) {
    addEventListener(kind, () => { scrolled = -OURS; }, { passive: true });
  }
  for (const kind of ["timeupdate", "seeked", "ended"]) player.addEventListener(kind, mark);
  addEventListener("refreshed", () => { read(); mark(); });
  read();
})();
