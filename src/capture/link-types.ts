/** Link types that frames may have, by the numbers of https://www.tcpdump.org/linktypes.html. */
export const linkTypes = {
  /** Loopback with the address family in the byte order of the host. */
  null: 0,
  ethernet: 1,
  /** Raw IP, as some systems number it. */
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  /** Loopback with the address family in network byte order. */
  loop: 108,
  linuxCooked: 113,
  ipv4: 228,
  ipv6: 229,
  linuxCooked2: 276,
  /** No packet but a Custom Block of pcapng; frames count it, as tshark's do. No file has this number. */
  customBlock: -1,
  /** No packet but a journal entry of systemd, in pcapng. No file has this number. */
  systemdJournal: -2,
} as const;
