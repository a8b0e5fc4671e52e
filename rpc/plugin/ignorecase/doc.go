// Package ignorecase lets peers write the names of routes in any case: the plugin
// looks all of them up in lower case.
//
// Routes that have capitals in their names are then never found; Config.Mapper makes
// none by default. What hooks after it, handlers of unknown routes and logs see is in
// lower case as well.
//
// Anybody may import the package; it imports rpc alone. The plugin has no state and is
// safe for concurrent use.
package ignorecase
