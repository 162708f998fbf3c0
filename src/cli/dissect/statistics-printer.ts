/** `--stats`: counts, bytes and times, as text or JSON. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { type ClientStatistics, Statistics, type TopicStatistics } from '../../dissect/report/statistics.ts';
import { DissectArgumentError, type DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { statisticsText } from './statistics-text.ts';

export class StatisticsPrinter implements FramePrinter {
  readonly fields = [];
  readonly #statistics = new Statistics();
  readonly #isJson: boolean;

  /** @throws {DissectArgumentError} */
  constructor({ format }: DissectRequest) {
    if (format !== undefined && format !== 'text' && format !== 'json') {
      throw new DissectArgumentError(`--stats has the forms -T text and -T json, not ${format}`);
    }
    this.#isJson = format === 'json';
  }

  begin(): string {
    return '';
  }

  frame(frame: DissectedFrame): string {
    this.#statistics.next(frame, true);
    return '';
  }

  passed(frame: DissectedFrame): void {
    this.#statistics.next(frame, false);
  }

  end(): string {
    const result = this.#statistics.result();
    if (!this.#isJson) return statisticsText(result);
    const { types, latencies, clients, topics, otherClients, otherTopics, ...rest } = result;
    const whole = {
      ...rest,
      types: types.map(({ type, traffic }) => ({ type, ...traffic })),
      clients: clients.map(clientObject),
      ...(otherClients === undefined ? {} : { otherClients: clientObject(otherClients) }),
      topics: topics.map(topicObject),
      ...(otherTopics === undefined ? {} : { otherTopics: topicObject(otherTopics) }),
      latencies: latencies.map(({ name, summary }) => ({ name, ...summary })),
    };
    return `${JSON.stringify(whole, undefined, 2)}\n`;
  }
}

function clientObject({ client, traffic, qos, acknowledgements, ...rest }: ClientStatistics): unknown {
  return { client, ...traffic, qos, ...rest, acknowledgements: acknowledgements.summary() ?? null };
}

function topicObject({ topic, traffic, qos }: TopicStatistics): unknown {
  return { topic, ...traffic, qos };
}
