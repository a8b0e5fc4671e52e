//go:build race

package rpc_test

// pooledLoss is how many allocations of a call come of it that pools lose a part of what
// they are given when races are looked for.
const pooledLoss = 5
