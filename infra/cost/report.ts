import type { EnvironmentName } from '../config/environments.ts';
import { assumptions } from './assumptions.ts';
import { floorOf } from './floor.ts';
import { millionExpressSteps, millionStandardSteps, millionSteps, sumOf } from './per-step.ts';
import { HOURS_A_MONTH, priceSources, prices, pricesOf } from './prices.ts';
import { Templates } from './templates.ts';

const environments = ['dev', 'prod'] as const satisfies readonly EnvironmentName[];
const batches = [1, 100] as const;
const callers = { bridge: 'agents by the bridge', executor: 'agents that answer at once' } as const;

/** COST.md, from the templates as they are synthesised now. */
export function costReport(): string {
  const templates = Object.fromEntries(environments.map((each) => [each, new Templates(each)]));
  return `${[
    heading(),
    ...environments.map((each) => floorSection(each, templates[each] as Templates)),
    stepSection(templates.prod as Templates),
    comparisonSection(templates.prod as Templates),
    assumptionsSection(),
    pricesSection(),
  ].join('\n\n')}\n`;
}

function heading(): string {
  return `# What it costs

Written by \`npm run cost\` from the synthesised templates and the list prices of ${pricesOf} in \`infra/cost/prices.ts\` (us-east-1,
US dollars, no free tier, no discount, no transfer to the internet). \`npm run verify\` fails where it is out of date.`;
}

function floorSection(environment: EnvironmentName, templates: Templates): string {
  const items = floorOf(environment, templates);
  const rows = items.map(({ what, amount, dollars }) => [what, amount, money(dollars)]);
  return `## ${environment}: what a month costs before the first run

${table(['', 'how much', 'a month'], [...rows, ['**together**', '', `**${money(sumOf(items))}**`]])}`;
}

function stepSection(templates: Templates): string {
  const kinds = (['bridge', 'executor'] as const).flatMap((caller) =>
    batches.map((batch) => ({ caller, batch })),
  );
  const columns = kinds.map(({ batch, caller }) => millionSteps('prod', templates, batch, caller));
  const rows = (columns[0] ?? []).map(({ what }, i) => [
    what,
    ...columns.map((costs) => money(costs[i]?.dollars ?? 0)),
  ]);
  const sums = columns.map((costs) => `**${money(sumOf(costs))}**`);
  return `## prod: what a million steps cost above it

Batches are as full as the load fills them, since batching never waits: a batch of 100 is what a busy system sees.
Agents that answer at once, the executor calls itself.

${table(['', ...kinds.map(({ batch, caller }) => `${callers[caller]}, batch ${batch}`)], [...rows, ['**together**', ...sums]])}`;
}

function comparisonSection(templates: Templates): string {
  const floor = sumOf(floorOf('prod', templates));
  const others = [
    ['Step Functions Standard', millionStandardSteps()],
    ['Step Functions Express', millionExpressSteps()],
  ] as const;
  const rows = batches.flatMap((batch) => {
    const ours = sumOf(millionSteps('prod', templates, batch, 'bridge'));
    return others.map(([name, theirs]) => [
      `batch ${batch}`,
      money(ours),
      name,
      money(theirs),
      breakEven(floor, ours, theirs),
    ]);
  });
  return `## Beside Step Functions

A million steps, the agents' own cost left out on both sides; and from which throughput on ours is cheaper, its whole floor of
${money(floor)} a month included.

${table(['Stepline', 'a million steps', 'beside', 'a million steps', 'ours is cheaper from'], rows)}

Express workflows end after five minutes, keep no history and are not resumed: it is the price of something else.`;
}

function breakEven(floor: number, ours: number, theirs: number): string {
  if (theirs <= ours) return 'never';
  const millions = floor / (theirs - ours);
  const perSecond = (millions * 1_000_000) / (HOURS_A_MONTH * 3_600);
  return `${millions.toFixed(0)} million steps a month, ${perSecond.toFixed(1)} a second`;
}

function assumptionsSection(): string {
  const rows = Object.entries(assumptions).map(([name, value]) => [`\`${name}\``, String(value)]);
  return `## What is assumed

${table(['assumption', 'value'], rows)}

Provisioned mode of the mappings is $${prices.eventPollerUnitHour} for an hour of an event poller unit: partial failures, attempts and
on-failure topics need it.`;
}

/** Those of brokers by their type. */
function pricesSection(): string {
  const { brokerHour, ...others } = prices;
  const brokers = Object.entries(brokerHour).map(([type, price]) => [`brokerHour ${type}`, price] as const);
  const sources: Readonly<Record<string, string>> = priceSources;
  const rows = [...Object.entries(others), ...brokers].map(([name, price]) => {
    const source = sources[name];
    if (source === undefined) throw new Error(`prices.ts does not say where ${name} is from`);
    return [`\`${name}\``, String(price), source];
  });
  return `## Where the prices are from

${table(['price', 'dollars', 'source'], rows)}

Not counted: what a NAT gateway and the log groups take by the gigabyte, and MSK's metrics beyond its free ones. They depend on the load.`;
}

function money(dollars: number): string {
  return `$${dollars.toFixed(2)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
