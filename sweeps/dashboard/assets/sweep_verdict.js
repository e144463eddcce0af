/** The verdict on a sweep's winner: whole where the registry keeps it, else the reasons that the sweep kept; and who is champion. */

import { h, put } from "./dom.js";
import { number } from "./format.js";
import { pictures } from "./sweep_summary.js";
import { badge, reasonList, verdictView } from "./verdict_view.js";

/** Put the verdict of the facts into `host`, and the pictures of the winner; return `{update(facts), destroy()}`. */
export function sweepVerdict(host, facts, context) {
  let [view, said] = [null, null];
  const update = (next) => {
    const says = JSON.stringify([next.promotion, next.verdict, next.champion, next.pictures?.length]);
    if (says === said) return;
    said = says;
    view?.destroy();
    view = next.verdict ? verdictView(next.verdict, context) : null;
    put(host, next.promotion ? verdictWords(next, view, context) : null, pictures(next));
  };
  update(facts);
  return { update, destroy: () => view?.destroy() };
}

function verdictWords({ promotion, champion, verdict }, view, context) {
  const now = champion ? (champion.is_of_this_sweep ? `The champion now is version ${champion.version}, of this sweep (${champion.run}).` : `The champion now is version ${champion.version} (${champion.run}), not of this sweep.`) : null;
  const known = new Set([...(verdict?.reasons ?? []), verdict?.sentence]);
  const more = promotion.reasons.filter((words) => !known.has(words)); // what the sweep knows beside the gate
  return [
    view ? h("p", null, promotion.run ?? "no run", ", ", modelWords(promotion, context)) : h("p", null, badge(promotion.promoted), " ", promotion.run ?? "no run", promotion.version ? ", " : " for ", modelWords(promotion, context)),
    view ? [view.node, reasonList(more.map((words) => ({ words, passes: null })))] : [reasonList(more.map((words) => ({ words, passes: promotion.promoted }))), asksOf(promotion)],
    now ? h("p", null, now) : null,
  ];
}

function modelWords({ model_name: name, version }, context) {
  const href = context.modelHref?.(name, version);
  const model = href ? h("a", { href }, name) : name;
  return version ? [`version ${version} of `, model] : model;
}

// What earlier versions kept of the gate.
function asksOf({ gate }) {
  const rules = gate?.rules ?? gate ?? {};
  const leastGain = rules.min_gain ?? rules.min_delta;
  const asks = [...Object.entries(rules.thresholds ?? {}).map(([name, bound]) => `a threshold of ${number(bound)} on ${name}`), ...(leastGain ? [`a gain of at least ${number(leastGain)}`] : [])];
  return asks.length ? h("p", { class: "hint" }, `The gate asks for ${asks.join(" and ")}.`) : null;
}
