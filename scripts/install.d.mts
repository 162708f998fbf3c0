export declare function isInstalled(): boolean;
export declare function isComplete(wanted: Record<string, object>, present: Record<string, object>): boolean;
export declare function install(): Promise<void>;
