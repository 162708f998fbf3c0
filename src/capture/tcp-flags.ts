/** Bits of `FrameHeaders.tcpFlags`: RFC 9293 §3.1. */
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 0x10, urg: 0x20 } as const;
