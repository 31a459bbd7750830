// Package config turns portcullis.yaml and the files it names into a compiled, immutable snapshot, or into the list of
// everything that is wrong with them.
//
// The way of a file: files.go reads the set so that it is of one moment, syntax.go parses YAML, plain.go refuses what YAML
// can say and portcullis.yaml must not, decode.go fills the message of config.proto, rules.go checks the rules that stand
// there, compile.go, policy.go, iam.go and account.go make the gateway of it. Each keeps going after a fault, and each knows where in the file
// it is.
//
// # Decisions
//
// 2026-11-23: the file is parsed once, into go.yaml.in/yaml/v3's nodes, and the nodes are read against config.proto's
// descriptor here. Measured on 10,000 APIs with 10 routes and a small policy each (11 MB), on 2 cores: yaml/v3 1.6 s and 230
// MB; protoyaml 1.8 s and 290 MB, after which the numbers of an inline policy are floats, positions are lost, and a
// duplicate key or a second document was not seen; goccy/go-yaml 2.7 s and 680 MB up to where it stopped. All of Load takes
// 3.1 s and 510 MB.
//
// 2026-11-23: goccy/go-yaml is not used, not even to place syntax errors. It refuses {aws:SourceIp: [192.0.2.0/24]}, which
// is how a condition is written; 1 MB of [a,[a,[a,… keeps it busy for more than 40 s, and its recursion has no limit. The
// place of an error is found with yaml/v3 alone, which has such a limit: the shortest beginning of the file about which it
// says the same (placeError).
//
// 2026-11-23: protovalidate checks the rules of config.proto (0.25 s for the file above). What it says is placed by its
// field path.
//
// 2026-11-23: anchors, aliases, merge keys and tags are refused. A policy that is reviewed should stand where it is used,
// and there is no expansion to bound.
//
// 2026-11-23: a file may be 32 MiB large, which is three times the measured one: what yaml/v3 makes of 64 MiB of [a,a,a…
// takes 7 GB.
//
// 2026-11-23: text is the scalar as it is written, in quotes or not: an account 012345678901 stays twelve digits. Only an
// empty value and null are not text.
//
// 2026-11-23: a fault quotes names (fields, keys, routes, domains, files), never another value and never a part of the file.
// Of an access key file it quotes no field either, and nowhere the name of a secret's file or variable: a secret that was written in the wrong
// place may look like one.
//
// 2026-11-23: access keys are read into a message of config.proto, as portcullis.yaml is, and checked by pkg/iam. An access
// key of a user or role that no account has is a fault: a configuration that takes a user away takes the key away too. Where
// an account is at fault, its keys are not looked up.
//
// 2026-11-25: accounts' exports are read one after the other while the configuration is compiled, and their bytes are dropped:
// together they may be larger than what is kept of them. So the check that no file has changed comes after compiling, and what
// was compiled of a torn set is thrown away.
//
// 2026-11-23: a file set is used only if every file, found again after all have been read, is the same file with the same
// size and time, reached on the same way through symbolic links. A Kubernetes ConfigMap changes all of its files by turning
// one link, ..data, so that a set read across the turn is seen by any of its files.
//
// 2026-11-25: Lambda authorizers whose remembered answers count for more than one caller, or as simple responses for more than one
// route, are warned of. A policy that is remembered is not, for it is judged for each request anew.
//
// 2026-11-25: verified tokens may take a quarter of the memory that the process is to use, at least 16 MiB and at most 352 MiB, in which
// 100,000 tokens of a user pool lie. A token that is forgotten is verified again, at the cost of four checks; a process that is killed for its
// memory answers nobody. Nobody fills it without as many tokens of an issuer's.
//
// 2026-11-25: a line ends with a line feed, or carriage return and line feed. YAML takes a lone carriage return, U+0085, U+2028 and
// U+2029 for the end of a line too, also of a comment, where editors and reviews show the comment going on: an open route could stand there
// unseen. They are refused, and so are the characters that change the direction of text. Within quotes both can be written as escapes.
//
// 2026-11-28: a fault quotes no text from where a secret may stand: the environment, headers, command and addresses of functions,
// the secrets of Redis, and access key files. Elsewhere it quotes names, and none with an equals sign, as in A=secret.
package config
