export declare const peers: Readonly<
  Record<string, { debianPackage: string; programs: readonly string[]; check?: readonly string[] }>
>;
export declare function findPeer(name: string): string | undefined;
export declare function forgetPeers(): void;
