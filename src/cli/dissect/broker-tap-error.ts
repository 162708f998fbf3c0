/** The broker's tap cannot be had, or no more. Apart from `broker-tap.ts`, which brings a client along that files do not need. */
export class BrokerTapError extends Error {}
