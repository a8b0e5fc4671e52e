//go:build slow

package hosttest_test

import "testing"

func TestManyUpgradesLoseNothing(t *testing.T) { upgradesUnderLoad(t, soak(20, 200)) }
