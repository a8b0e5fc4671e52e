// Package alloctest measures for tests how much memory a function takes. Only tests may
// import it; nothing else may run in the process meanwhile.
package alloctest
