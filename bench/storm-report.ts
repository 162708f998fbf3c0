/** Writes down what runs with very many of something gave: a table for each kind. */
import type { StormGroup } from './options.ts';
import { figureOf, type Spread, type StormOutcome, stormFaultsOf } from './outcomes.ts';
import { type Figure, type StormKind, stormFigures } from './storms.ts';
import { count, milliseconds, none, percent, ratio, type Table } from './table.ts';

const titles: Readonly<Record<StormKind, (number: string, holdSeconds: number) => string>> = {
  connections: (number) => `${number} connections, as fast as the broker answers`,
  idle: (number, holdSeconds) => `Resident memory for ${number} connections, at first and idle for ${holdSeconds} s`,
  subscriptions: (number) => `${number} subscriptions, and a flow 1→1 at QoS 0 beside them`,
  retained: (number) => `${number} retained messages of 64 B, handed to a new subscriber of # at QoS 0`,
  queued: (number) => `${number} messages of 64 B at QoS 1 that wait for a client that is away`,
};

export function stormTitle({ name, count: number, rounds }: StormGroup, holdSeconds: number): string {
  return `${titles[name](count(number), holdSeconds)} (${rounds === 1 ? 'one run' : `medians of ${rounds}`})`;
}

export function stormTable(outcomes: readonly StormOutcome[], group: StormGroup): Table {
  const figures = Object.entries(stormFigures[group.name]);
  const own = outcomes.filter((outcome) => outcome.group === group);
  const others = ['mosquitto', 'aedes'].filter((name) => own.some((outcome) => outcome.broker === name));
  const base = (name: string, figure: string) => {
    const found = own.find((outcome) => outcome.broker === name);
    return found === undefined ? undefined : figureOf(found, figure);
  };
  const head = figures.flatMap(([, { title, isCompared }]) => [
    title,
    ...(isCompared ? ['lowest … highest', ...others.map((name) => `× ${name}`)] : []),
  ]);
  const rows = own.map((outcome) => [
    outcome.broker,
    ...figures.flatMap(([name, figure]) => {
      const value = figureOf(outcome, name);
      const comparison = [range(value, figure), ...others.map((other) => ratio(value, base(other, name)))];
      return [shown(value?.median, figure), ...(figure.isCompared ? comparison : [])];
    }),
  ]);
  return { head: ['broker', ...head], words: new Set(['broker']), rows };
}

function range(value: Spread | undefined, figure: Figure): string {
  return value === undefined ? none : `${shown(value.min, figure)} … ${shown(value.max, figure)}`;
}

function shown(value: number | undefined, { unit }: Figure): string {
  switch (unit) {
    case 'count':
      return count(value);
    case 'milliseconds':
      return milliseconds(value);
    case 'share':
      return percent(value);
    case 'ratio':
      return value === undefined ? none : value.toFixed(2);
  }
}

/** The line about one run, while more are to come. */
export function formatStormRun(outcome: StormOutcome): string {
  const run = outcome.runs.at(-1)!;
  const name = `${outcome.broker} ${outcome.group.name}`.padEnd(30);
  if ('error' in run) return `${name} failed: ${run.error}`;
  const figures = Object.entries(stormFigures[outcome.group.name]);
  return [
    name,
    ...figures.map(([key, figure]) => `${figure.title} ${shown(run.figures[key], figure)}`),
    ...run.faults,
  ].join('  ');
}

/** Everything, for programs. */
export function stormData(outcome: StormOutcome): unknown {
  const { name, count: number } = outcome.group;
  const medians = Object.keys(stormFigures[name]).map((key) => [key, figureOf(outcome, key)] as const);
  return {
    ...{ kind: name, count: number, broker: outcome.broker },
    summary: Object.fromEntries(medians),
    faults: stormFaultsOf(outcome),
    runs: outcome.runs,
  };
}
