/** Access files (or whatever Authority there is) and hooks taken together: both must allow. */
import { isFailure, ReasonCode } from '../protocol/reason-codes.ts';
import type { Authority, ClientIdentity, Verdict } from './auth.ts';
import type { BrokerHooks, Decision } from './hooks.ts';
import type { Log } from './log.ts';

/** The Authority itself if no hook decides anything. */
export function withHooks(authority: Authority, hooks: BrokerHooks, log: Log): Authority {
  const { authenticate, authorizePublish, authorizeSubscribe, authorizeReceive } = hooks;
  if (!authenticate && !authorizePublish && !authorizeSubscribe && !authorizeReceive) return authority;
  const ask = (
    verdict: Verdict | Promise<Verdict>,
    decide: (() => Decision | Promise<Decision>) | undefined,
    refusal: ReasonCode,
  ): Verdict | Promise<Verdict> => {
    if (decide === undefined) return verdict;
    const next = (first: Verdict): Verdict | Promise<Verdict> => {
      if (isFailure(first)) return first;
      try {
        const decision = decide();
        if (!(decision instanceof Promise)) return verdictOf(decision, refusal);
        return decision.then((settled) => verdictOf(settled, refusal)).catch(failed);
      } catch (error) {
        return failed(error);
      }
    };
    return verdict instanceof Promise ? verdict.then(next) : next(verdict);
  };
  const failed = (error: unknown): Verdict => {
    log.write('error', `A hook failed: ${error instanceof Error ? error.message : error}`);
    return ReasonCode.unspecifiedError;
  };
  return {
    authenticate: (identity, connect) =>
      ask(
        authority.authenticate(identity, connect),
        authenticate && (() => authenticate.call(hooks, identity, connect)),
        ReasonCode.badUserNameOrPassword,
      ),
    mayPublish: (identity, topicName, publish) =>
      ask(
        authority.mayPublish(identity, topicName, publish),
        authorizePublish && (() => authorizePublish.call(hooks, identity, topicName, publish)),
        ReasonCode.notAuthorized,
      ),
    maySubscribe: (identity, topicFilter, qos) =>
      ask(
        authority.maySubscribe(identity, topicFilter, qos),
        authorizeSubscribe && (() => authorizeSubscribe.call(hooks, identity, topicFilter, qos)),
        ReasonCode.notAuthorized,
      ),
    mayReceive: (identity: ClientIdentity, topicName: string) =>
      authority.mayReceive(identity, topicName) &&
      (authorizeReceive === undefined || authorizeReceive.call(hooks, identity, topicName)),
    receivesAll: authority.receivesAll && authorizeReceive === undefined,
    publishesAll: authority.publishesAll && authorizePublish === undefined,
    get epoch() {
      return authority.epoch;
    },
  };
}

function verdictOf(decision: Decision, refusal: ReasonCode): Verdict {
  if (decision === true) return ReasonCode.success;
  return decision === false ? refusal : decision;
}
