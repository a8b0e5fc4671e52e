//go:build !race

package rpc_test

const pooledLoss = 0
