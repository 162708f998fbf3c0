/** Access files (or whatever Authority there is) and hooks taken together: both must allow. */
import { isFailure, ReasonCode } from '../protocol/reason-codes.ts';
import type { Authority, ClientIdentity, Verdict } from './auth.ts';
import { type BrokerHooks, type Decision, logFailure } from './hooks.ts';
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
    logFailure(log, error);
    return ReasonCode.unspecifiedError;
  };
  const receives = (identity: ClientIdentity, topicName: string): boolean => {
    try {
      return authorizeReceive === undefined || authorizeReceive.call(hooks, identity, topicName) === true;
    } catch (error) {
      logFailure(log, error);
      return false;
    }
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
    mayReceive: (identity, topicName) => authority.mayReceive(identity, topicName) && receives(identity, topicName),
    receivesAll: authority.receivesAll && authorizeReceive === undefined,
    publishesAll: authority.publishesAll && authorizePublish === undefined,
    get epoch() {
      return authority.epoch;
    },
  };
}

function verdictOf(decision: Decision, refusal: ReasonCode): Verdict {
  if (decision === true) return ReasonCode.success;
  // Whatever is no answer at all, such as `undefined` from a hook without types, allows nothing.
  return typeof decision === 'number' ? decision : refusal;
}
