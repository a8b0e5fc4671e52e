// Package plugintest helps to test plugins: endpoints that share a network in memory, a
// peer that speaks the raw protocol by hand, and conversations that older peers had.
//
// It is for tests alone. Its values belong to the goroutine of their test.
package plugintest
