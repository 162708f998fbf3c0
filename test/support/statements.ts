/** The numbered normative statements of the two specifications, and what is to be said of those that no test can name. */

export type Specification = 'MQTT-' | 'MQTT311-';

/** Sections with the first and last number of their statements. */
const sections: Readonly<Record<Specification, string>> = {
  // MQTT Version 5.0, OASIS Standard, 7 March 2019, appendix B.
  'MQTT-': `
    1.5.4:1-3 1.5.5:1-1 1.5.7:1-1 2.1.3:1-1 2.2.1:2-6 2.2.2:1-1 3.1.0:1-2 3.1.2:1-30 3.1.3:1-12 3.1.4:1-6 3.2.0:1-2
    3.2.2:1-22 3.3.1:1-13 3.3.2:1-20 3.3.4:1-10 3.4.2:1-3 3.5.2:1-3 3.6.1:1-1 3.6.2:1-3 3.7.2:1-3 3.8.1:1-1 3.8.3:1-5
    3.8.4:1-8 3.9.2:1-2 3.9.3:1-2 3.10.1:1-1 3.10.3:1-2 3.10.4:1-6 3.11.2:1-2 3.11.3:1-2 3.12.4:1-1 3.14.0:1-1
    3.14.1:1-1 3.14.2:1-4 3.14.4:1-3 3.15.1:1-1 3.15.2:1-3 4.1.0:1-2 4.2.0:1-1 4.3.1:1-1 4.3.2:1-5 4.3.3:1-13
    4.4.0:1-2 4.5.0:1-2 4.6.0:1-6 4.7.0:1-1 4.7.1:1-2 4.7.2:1-1 4.7.3:1-4 4.8.2:1-6 4.9.0:1-3 4.12.0:1-7 4.12.1:1-2
    4.13.1:1-1 4.13.2:1-1 6.0.0:1-4`,
  // MQTT Version 3.1.1, OASIS Standard, 29 October 2014, appendix B.
  'MQTT311-': `
    1.5.3:1-3 2.2.2:1-2 2.3.1:1-7 3.1.0:1-2 3.1.2:1-24 3.1.3:1-11 3.1.4:1-5 3.2.0:1-1 3.2.2:1-6 3.3.1:1-12 3.3.2:1-3
    3.3.4:1-1 3.3.5:1-2 3.6.1:1-1 3.8.1:1-1 3.8.3:1-4 3.8.4:1-6 3.9.3:1-2 3.10.1:1-1 3.10.3:1-2 3.10.4:1-6 3.12.4:1-1
    3.14.1:1-1 3.14.4:1-3 4.1.0:1-2 4.3.1:1-1 4.3.2:1-2 4.3.3:1-2 4.4.0:1-1 4.5.0:1-2 4.6.0:1-6 4.7.1:1-3 4.7.2:1-1
    4.7.3:1-4 4.8.0:1-2 6.0.0:1-4`,
};

/** All statements of a specification, such as `MQTT-3.1.2-22`, in its order. */
export function statementsOf(specification: Specification): string[] {
  return sections[specification]
    .trim()
    .split(/\s+/)
    .flatMap((entry) => {
      const [, section, first, last] = /^([\d.]+):(\d+)-(\d+)$/.exec(entry) ?? [];
      const count = Number(last) - Number(first) + 1;
      return Array.from({ length: count }, (_, index) => `${specification}${section}-${Number(first) + index}`);
    });
}

const ofTheClient = 'asks something of the Client alone';
const noUserProperties = 'the Server adds no User Properties of its own';
const ofEveryTest = 'no exchange of any test would work otherwise';

/** Why a statement has no test that names it. */
export const remarks: Readonly<Record<string, string>> = {
  'MQTT-3.4.2-3': noUserProperties,
  'MQTT-3.5.2-3': noUserProperties,
  'MQTT-3.6.2-3': noUserProperties,
  'MQTT-3.7.2-3': noUserProperties,
  'MQTT-3.9.2-2': noUserProperties,
  'MQTT-3.11.2-2': noUserProperties,
  'MQTT-3.14.2-4': noUserProperties,
  'MQTT-3.15.2-2': 'the Server sends no Reason String in AUTH',
  'MQTT-3.15.2-3': noUserProperties,
  'MQTT-3.3.2-10': ofTheClient,
  'MQTT-4.6.0-1': ofTheClient,
  'MQTT-4.12.0-3': ofTheClient,
  'MQTT311-3.8.3-2': 'wildcards are supported',
  'MQTT311-4.8.0-2': 'no transient error can be provoked from outside',
  'MQTT311-6.0.0-3': ofTheClient,
  'MQTT-2.2.2-1': ofEveryTest,
  'MQTT-3.1.3-1': ofEveryTest,
  'MQTT-3.1.3-2': ofEveryTest,
  'MQTT-3.2.2-8': 'the Reason Codes that are expected are those of the table',
  'MQTT-3.9.3-2': 'the Reason Codes that are expected are those of the table',
  'MQTT-3.11.3-2': 'the Reason Codes that are expected are those of the table',
  'MQTT-4.2.0-1': ofEveryTest,
  'MQTT-3.2.2-4': ofTheClient,
  'MQTT-3.2.2-5': ofTheClient,
  'MQTT-3.2.2-18': ofTheClient,
  'MQTT-3.2.2-19': 'the Server sends no Response Information',
  'MQTT-3.2.2-20': 'the Server sends no Server Reference',
  'MQTT-3.3.4-8': ofTheClient,
  'MQTT-4.5.0-2': ofTheClient,
  'MQTT311-2.3.1-2': ofTheClient,
  'MQTT311-2.3.1-3': ofTheClient,
  'MQTT311-3.1.2-23': ofTheClient,
  'MQTT311-3.1.3-1': ofEveryTest,
  'MQTT311-3.1.3-2': ofEveryTest,
  'MQTT311-3.1.3-3': ofEveryTest,
  'MQTT311-3.1.3-7': ofTheClient,
  'MQTT311-3.1.4-3': ofEveryTest,
  'MQTT311-3.14.4-1': ofTheClient,
  'MQTT311-3.14.4-2': ofTheClient,
  'MQTT311-4.5.0-2': ofTheClient,
};
