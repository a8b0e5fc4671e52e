package config_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dserver/dserver/host/config"
)

// full is a configuration in which every list has something in it.
func full(t *testing.T) *config.Config {
	t.Helper()
	const process = `
needs = ["db"]
env = { A = "1" }
secrets = { S = "secret" }
rlimits = { nofile = 1 }
groups = [54322]
env_files = "vars.env"
`
	c, err := inWorkshop(t, workshop(t), `
[sandbox.math]
listen = "tcp://:1"
config = { a = 1, b = { c = [1] } }
[worker.calc]`+process+`
[program.x]
listen = "tcp://:2"
ready = "exec:tool"
live = "exec:tool"
stop = ["TERM 1s", "exec:tool"]
pre_start = "tool"
post_stop = "tool"
on_fatal = "tool"`+process+`
[app.a]`+process)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// leaf is one value of a configuration, and how to make another one of it.
type leaf struct {
	path   string
	change func()
}

// leaves gives all values below v.
func leaves(v reflect.Value, path string) (list []leaf) {
	change := func(f func()) []leaf { return []leaf{{path, f}} }
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				list = append(list, leaves(v.Field(i), path+"."+field.Name)...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			list = append(list, leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		if v.Len() > 0 {
			list = append(list, leaf{path, func() { v.SetLen(v.Len() - 1) }})
		}
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			other := reflect.ValueOf("another value")
			list = append(list, leaf{path + "." + key.String(), func() { v.SetMapIndex(key, other) }},
				leaf{path + "-" + key.String(), func() { v.SetMapIndex(key, reflect.Value{}) }})
		}
	case reflect.Pointer:
		if !v.IsNil() {
			list = leaves(v.Elem(), path)
		}
		list = append(list, leaf{path, func() {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			} else {
				v.SetZero()
			}
		}})
	case reflect.String:
		return change(func() { v.SetString(v.String() + "x") })
	case reflect.Bool:
		return change(func() { v.SetBool(!v.Bool()) })
	case reflect.Int, reflect.Int64:
		return change(func() { v.SetInt(v.Int() + 4) }) // a log level has a name every 4
	case reflect.Uint64:
		return change(func() { v.SetUint(v.Uint() + 1) })
	case reflect.Float64:
		return change(func() { v.SetFloat(v.Float() + 1) })
	default:
		panic("no idea how to change " + path)
	}
	return list
}

// TestDiffTellsOfEveryField changes each field of a configuration, however deep it
// lies: whatever changes the hash has its sentence.
func TestDiffTellsOfEveryField(t *testing.T) {
	// These mean nothing where the fields beside them say what they say here.
	idle := regexp.MustCompile(`\.Programs\[.\]\.Recycle\.MaxRequests|\.(Warnings|Files)|\.(Ready|Probe)\.(Address|Pattern|FD)|\.Stop\[1\]\.Signal|\.Resource$`)
	before := full(t)
	pristine, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	count := len(leaves(reflect.ValueOf(before).Elem(), "Config"))
	if count < 300 {
		t.Errorf("only %d fields", count)
	}
	for i := range count {
		after := new(config.Config)
		if err := json.Unmarshal(pristine, after); err != nil {
			t.Fatal(err)
		}
		one := leaves(reflect.ValueOf(after).Elem(), "Config")[i]
		if idle.MatchString(one.path) {
			continue
		}
		one.change()
		if before.Hash() == after.Hash() {
			t.Errorf("%s: the hash stays", one.path)
		}
		if len(config.Diff(before, after)) == 0 {
			t.Errorf("%s: the change is not told", one.path)
		}
	}
}

// TestConfigurationTravels: a process that gets the configuration as JSON has the
// same one.
func TestConfigurationTravels(t *testing.T) {
	c := full(t)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	back := new(config.Config)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	if c.Hash() != back.Hash() {
		t.Error("the hash differs")
	}
	if lines := config.Diff(c, back); len(lines) > 0 {
		t.Errorf("these differ: %q", lines)
	}
	x, _ := back.Program("x")
	if want := (config.Probe{Kind: config.ProbeExec, Command: x.Ready.Command}); !reflect.DeepEqual(x.Ready, want) || len(x.Ready.Command) != 1 {
		t.Errorf("ready is %+v", x.Ready)
	}
}

// TestReferenceHasAllKeysOnce: no key is there twice, and none without its place.
func TestReferenceHasAllKeysOnce(t *testing.T) {
	keys := config.Keys()
	slices.Sort(keys)
	if n := len(slices.Compact(slices.Clone(keys))); n != len(keys) {
		t.Errorf("%d keys have %d names", len(keys), n)
	}
}
