/** The order in which one looks for metrics: what a sweep is about, then of validation, of the test, of training last; those that say which way is better first. */

const OF_WHAT = [
  [/^(val|valid)/i, 0],
  [/^(test|eval|dev)/i, 2],
  [/^train/i, 6],
];

/** Return metrics, [{name, mode}], in that order; `first` are names that go before all others. */
export function byInterest(metrics, first = []) {
  const rank = ({ name, mode }) => {
    const place = first.indexOf(name);
    if (place >= 0) return place - first.length;
    return (OF_WHAT.find(([pattern]) => pattern.test(name))?.[1] ?? 4) + (mode === "max" ? 0 : mode ? 0.5 : 1);
  };
  return [...metrics].sort((one, other) => rank(one) - rank(other));
}
