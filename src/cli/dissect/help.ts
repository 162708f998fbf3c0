/** `--help` of `clearwing dissect` and `clearwing capture`. */

export function usage(name: string, command: 'dissect' | 'capture'): string {
  return command === 'dissect' ? dissectUsage(name) : captureUsage(name);
}

function dissectUsage(name: string): string {
  return `${name} shows what is in a capture: MQTT above all, over TCP, WebSocket or TLS.

Usage: ${name} -r FILE [options] [display filter]
       ${name} -i INTERFACE [-f capture filter] [options]

Input
 -r FILE              pcap or pcapng, also with gzip; - for the standard input, also while it grows.
 -i INTERFACE         capture there, by dumpcap or tcpdump (see 'clearwing capture --help').
 -c COUNT             stop after reading so many frames.
 --threads N          read a file with so many threads; default: as many as are of use for its size.
${selection}
${printing}
 -w FILE              write the frames that match to a file instead of printing them.
 -F FORMAT            its format: pcapng (default), pcap or nsecpcap.

Asking (-Y chooses the packets that count)
 --follow STREAM      what was said in a TCP stream (its number, or a Client Identifier), packet by packet;
                      also -T json. client:5 is a client whose identifier is a number.
 --ladder[=svg]       client, broker, client as a diagram of packets, identifiers, QoS and times.
 --stats              counts, bytes and acknowledgement times by client, topic, packet type and QoS; also
                      -T json.
 --table NAME         clients, connections, subscriptions, wills, topics, deliveries or handshakes.
 --where CONDITION    rows of the table that match: 'wildcards == "single" && qos > 0'.
 --columns LIST       these columns, or all: 'client,filter'.
 --count              how many rows there are, instead of the rows.
 --distinct COLUMN    the different values of a column; with --count how many there are.
 --format FORM        of the table: text (default), csv or json.

${others}
Exit status: 0; 1 for arguments that cannot be used; 2 for a filter or a file that cannot be, or a file
that ends too early (what was read of it is shown).
`;
}

function captureUsage(name: string): string {
  return `${name} shows MQTT as it happens.

Usage: ${name} --broker URL [options] [display filter]
       ${name} -i INTERFACE [-f capture filter] [options] [display filter]

Where
 --broker URL         a Clearwing broker, which shows what goes over its connections; no privileges
                      needed, but the broker's consent: by default it shows everything to clients of
                      its own machine, otherwise to the users that capture_users names.
                      mqtt://user:password@host:1883, ws://…, as clients take it.
 -i INTERFACE         a network interface, by dumpcap or tcpdump, which need privileges.
 -f FILTER            what is captured there, as pcap-filter(7): 'tcp port 1883'.
 -s BYTES             keep only so much of each frame.
 -p                   only frames for this machine.
 -D                   list the interfaces.
 -c COUNT             stop after so many frames.
 -a duration:SECONDS  stop after so long. Ctrl-C stops, too.
${selection}
${printing}
 -w FILE              write the frames that match to a file instead of printing them.

${others}
Exit status: 0; 1 for arguments that cannot be used and captures that cannot be had; 2 for a filter or
a file that cannot be used.
`;
}

const selection = `
Which frames
 -Y FILTER            a display filter: 'mqtt.msgtype == 3 && mqtt.qos > 0'; also behind the options.
 -d tcp.port==N,PROTO take what is on this port for mqtt, websocket or tls.
 --no-recognition     know MQTT by its ports alone, not by what its bytes look like.
 -o NAME:VALUE        a preference: tls.keylog_file:FILE, mqtt.show_msg_as_text:TRUE.`;

const printing = `
How they are printed
 -T FORM              text (default), tabs, json, jsonraw, ek, or fields.
 -e FIELD             a field to print, with -T fields, json or ek; repeated for more.
 -E OPTION=VALUE      header=y, separator=/t|/s|CHARACTER, occurrence=f|l|a, aggregator=CHARACTER,
                      quote=d|s|n, bom=y.
 -V                   the tree of every field.    -O PROTOCOLS   only of these, of others a line.
 -P                   the row, beside a tree.     -x             the bytes.
 -j, -J PROTOCOLS     what -T json and ek show.   --no-duplicate-keys   repeated keys as arrays.
 -t a|ad|d|dd|e|r|u…  what the time is: absolute, since the one before, the epoch, the first …
 -S SEPARATOR         a line after each tree.     -q             print nothing.
 --more               also what Wireshark has no name for: names of properties, clients, handshakes,
                      decoded payloads, violated statements of the specification.
 --color auto|always|never`;

const others = `Other
 -G fields            list all fields.            -l             write out after each batch.
 -n, -N, -2           accepted: addresses are shown as numbers anyway.
 --[no-]progress      show how far a long file was read.
 -h, --help           this.                       -v             the version.
`;
