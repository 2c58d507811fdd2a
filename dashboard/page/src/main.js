// Shows the data that the page embeds as the filters choose. Nothing is ever loaded.

import { buildSections, showCards, showTiles } from "./cards.js";
import { watchTips } from "./charts/tip.js";
import { createContext } from "./context.js";
import { unpack } from "./data/read.js";
import { byId } from "./dom.js";
import { buildFilters, rankChoice, showFilters } from "./filters.js";
import { showStatus } from "./status.js";
import { changeState, defaultState, readFragment, writeFragment } from "./view/state.js";

const data = await unpack(byId("data").textContent);
let state = readFragment(location.hash, data);
let context = createContext(data, state) ?? createContext(data, defaultState(data));
const cards = buildSections(byId("sections"), context, rankChoice());

function show() {
  context = createContext(data, state) ?? context;
  showFilters(context);
  showStatus(context);
  showTiles(context);
  showCards(cards, context);
}

function choose(change) {
  state = change ? changeState(state, change) : defaultState(data);
  const fragment = writeFragment(state, data);
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  show();
}

buildFilters(context, choose);
watchTips();
show();

addEventListener("hashchange", () => {
  state = readFragment(location.hash, data);
  show();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // The fragment is the view's.
  byId("figures").focus();
});

let width = innerWidth;
let timer;
addEventListener("resize", () => {
  clearTimeout(timer);
  if (innerWidth === width) return; // A phone's bars come and go as it scrolls.
  timer = setTimeout(() => {
    width = innerWidth;
    showCards(cards, context);
  }, 150);
});
