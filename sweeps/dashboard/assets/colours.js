/** Colours: of a few series, that colour-blind readers can tell apart, and of many by their values. */

import { isDark } from "./theme.js";

const SERIES = 10;
// viridis at equal distances, as matplotlib has it
const MAP = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"].map((hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));

/** Return the colour that a token of the style sheet has now, as "--accent". */
export function colourOf(token) {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}

/** Return the colour of a series as CSS that follows the theme; the eleventh has the colour of the first, and `seriesDash` tells them apart. */
export function seriesColour(index) {
  return `var(--s${index % SERIES})`;
}

/** Return the colour of a series as it is now, for a canvas. */
export function seriesPaint(index) {
  return colourOf(`--s${index % SERIES}`);
}

/** Return the dashes of a series, in pixels: none for the first ten. */
export function seriesDash(index) {
  return [[], [6, 3], [2, 3]][Math.floor(index / SERIES) % 3];
}

/**
 * Return a scale of colours for values: `colour(value)` as "rgb(..)", `low` and `high`, and `beyond` when some lie outside.
 * Good values stand out from the paper, in the theme of now: after `onTheme` ask for a new scale. The scale ends at four times the distance from the best value to the
 * median, so that one run that exploded does not use up the colours; with `log` it is even by logarithm and ends nowhere.
 */
export function valueScale(values, { highIsGood = true, log = false } = {}) {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0)).sort((a, b) => (highIsGood ? b - a : a - b));
  if (!known.length) return { colour: () => colourOf("--ink-2"), low: null, high: null, beyond: false };
  const best = known[0];
  const reach = 4 * Math.abs(known[Math.floor(known.length / 2)] - best);
  let worst = known[known.length - 1];
  const beyond = !log && reach > 0 && reach < Math.abs(worst - best);
  if (beyond) worst = highIsGood ? best - reach : best + reach;
  const place = (value) => (log ? Math.log(value) : value);
  const width = place(best) - place(worst);
  const dark = isDark();
  const none = colourOf("--line");
  const colour = (value) => {
    if (!Number.isFinite(value) || (log && value <= 0)) return none;
    const good = width === 0 ? 0.5 : Math.min(1, Math.max(0, (place(value) - place(worst)) / width));
    return paint(dark ? 0.15 + 0.85 * good : 0.95 - 0.95 * good);
  };
  return { colour, low: Math.min(best, worst), high: Math.max(best, worst), beyond };
}

/** Return the opacity at which so many lines or dots do not cover the axes: 1 up to a hundred. */
export function density(count) {
  return Math.min(1, Math.max(0.12, (100 / Math.max(1, count)) ** 0.6));
}

function paint(place) {
  const exactly = place * (MAP.length - 1);
  const at = Math.min(MAP.length - 2, Math.floor(exactly));
  const mixed = MAP[at].map((channel, index) => Math.round(channel + (exactly - at) * (MAP[at + 1][index] - channel)));
  return `rgb(${mixed.join(",")})`;
}
