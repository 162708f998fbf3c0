/** What every kind of run is given, and which function runs it. */
import type { Progress } from '../../bench/run-control.ts';
import type { BenchReport } from './report.ts';
import { runFlow } from './run-flow.ts';
import { runChurnCommand, runConnect, runRetained, runSubscribe } from './run-storms.ts';
import type { BenchCommand, BenchSettings } from './settings.ts';

export interface BenchRun {
  readonly command: BenchCommand;
  readonly settings: BenchSettings;
  readonly control: {
    /** Ends it early. */
    readonly signal: AbortSignal;
    /** Shows how far it is. */
    readonly show: (name: string, progress: Progress) => void;
  };
  /** Gets what is found as soon as it is. */
  readonly report: BenchReport;
}

/** @throws {LoadError} if the broker is not there, refuses, or goes away */
export const runners: Readonly<Record<BenchCommand, (run: BenchRun) => Promise<void>>> = {
  flow: runFlow,
  latency: runFlow,
  connect: runConnect,
  idle: runConnect,
  retained: runRetained,
  subscribe: runSubscribe,
  churn: runChurnCommand,
};
