// Package config reads what an instance shall be: one file, what it includes, an
// overlay for one environment, environment variables and flags become one
// checked [Config].
//
// Later layers win over earlier ones, key by key:
//
//  1. what the application brings itself, and the defaults of --env
//  2. dserver.toml (or .yaml, .yml, .json, .ini) and the files it includes
//  3. dserver.ENV.toml beside it, for --env ENV
//  4. environment variables such as DSERVER_SANDBOX__MY_SVC__LISTEN
//  5. flags
//
// Reading is strict. An unknown key, a wrong type and an impossible value are
// errors, all of them are reported at once as [Errors], and each names the place,
// the key, the value, the reason and the nearest valid name. What a value names has
// to be there: hosts are looked up, executables found, and so are users, folders and
// files of variables, with the rights of this process. So a [Config] holds absolute
// paths and numbers, and nothing of it is left to interpret; only unix sockets wait
// for [Config.Resolve]. Files are read once; services that share the
// content with a framework are given [Config.Content].
//
// The host imports it, and the command line for its checks; it imports
// host/rundir and internal/signals. All functions may be called concurrently; a
// [Config] is not changed once [Load] has returned it and may be read from any
// goroutine.
package config
