package inherit

// Credentials are who a process was when it made its end of a connection.
type Credentials struct{ Pid, UID, GID int }
