/** One metric of Prometheus' text format, as a strict reader finds it. */
export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/y;
const NUMBER = /^[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf|NaN)$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

/**
 * Reads the text format 0.0.4, by the rules of https://prometheus.io/docs/instrumenting/exposition_formats/ and no less: HELP and
 * TYPE once and before the samples, families in one piece, each series once, buckets that add up.
 * @throws Error naming the line
 */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('expected a line end after the last line');
  const families = new Map<string, ParsedFamily>();
  const helps = new Map<string, string>();
  const series = new Set<string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${JSON.stringify(line)}`);
    };
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      if (helps.has(name)) fail('a second HELP');
      if (/\\[^\\n]/.test(rest.replaceAll('\\\\', ''))) fail('an escape that is none');
      helps.set(name, rest);
    } else if (kind === 'TYPE') {
      if (families.has(name)) fail('a second TYPE');
      if (!TYPES.includes(rest)) fail('no type');
      families.set(name, { type: rest, help: helps.get(name) ?? fail('no HELP before'), samples: [] });
      current = name;
    } else if (line.startsWith('#')) fail('neither HELP nor TYPE');
    else {
      const sample = parseSample(line, fail);
      const family = families.get(current) ?? fail('no TYPE before');
      if (!namesOf(current, family.type).includes(sample.name)) fail(`not of ${current}`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (series.has(key)) fail('the same series again');
      series.add(key);
      if (family.type !== 'gauge' && !(sample.value >= 0)) fail('below 0');
      family.samples.push(sample);
    }
  }
  for (const [name, { type, samples }] of families) {
    if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name}: a counter ends in _total`);
    if (type === 'histogram') checkHistogram(name, samples);
  }
  return families;
}

function parseSample(line: string, fail: (why: string) => never): ParsedSample {
  const [, name, labelText = '', number = ''] = SAMPLE.exec(line) ?? fail('no sample');
  if (name === undefined || !NUMBER.test(number)) return fail('no number');
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label = '', value = ''] = LABEL.exec(labelText) ?? fail('no label');
    if (label in labels) fail('the same label again');
    labels[label] = value.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function namesOf(family: string, type: string): string[] {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => family + suffix) : [family];
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) =>
    JSON.stringify(Object.entries(labels).sort()),
  );
  for (const [labels, group] of groups) {
    const fail = (why: string): never => {
      throw new Error(`${name}${labels}: ${why}`);
    };
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le = '' } }) => Number(le.replace('Inf', 'Infinity')));
    if (bounds.some((bound, i) => i > 0 && !(bound > bounds[i - 1]!))) fail('bounds that do not ascend');
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) fail('no +Inf');
    if (buckets.some(({ value }, i) => i > 0 && value < buckets[i - 1]!.value)) fail('buckets that sink');
    const [count] = group.filter((sample) => sample.name === `${name}_count`);
    if (count?.value !== buckets.at(-1)!.value) fail('a count that is not that of +Inf');
    if (!group.some((sample) => sample.name === `${name}_sum`)) fail('no sum');
  }
}
