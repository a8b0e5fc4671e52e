package config

import (
	"errors"
	"fmt"
	"os/user"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxID is the biggest number of a user or group; the one above means "nobody in
// particular" to the kernel.
const maxID = 1<<32 - 2

// aUser and aGroup are kept as they are written; what they mean is found out by
// [builder.identity] when all of it is there.
func aUser() kind[string] {
	return kind[string]{"name or number", func(b *builder, n *node) (string, error) {
		text, err := n.asID()
		if err == nil {
			_, err = b.findUser(text)
		}
		return text, err
	}, func(s string) string { return s }}
}

func aGroup() kind[string] {
	return kind[string]{"name or number", func(b *builder, n *node) (string, error) {
		text, err := n.asID()
		if err == nil {
			_, err = b.findGroup(text)
		}
		return text, err
	}, func(s string) string { return s }}
}

func someGroups() kind[[]string] {
	return kind[[]string]{"list of names or numbers", func(b *builder, n *node) ([]string, error) {
		items := []*node{n}
		if list, ok := n.value.([]any); ok {
			items = items[:0]
			for _, item := range list {
				items = append(items, &node{value: item})
			}
		} else if n.text {
			texts, err := n.asTexts()
			if err != nil {
				return nil, err
			}
			items = items[:0]
			for _, text := range texts {
				items = append(items, &node{value: text})
			}
		}
		names := make([]string, 0, len(items))
		for _, item := range items {
			name, err := item.asID()
			if err == nil {
				_, err = b.findGroup(name)
			}
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		return names, nil
	}, func(names []string) string { return strings.Join(names, ", ") }}
}

// asID reads a name, or a number that may be written without quotes.
func (n *node) asID() (string, error) {
	if i, ok := n.value.(int64); ok {
		if i < 0 || i > maxID {
			return "", fmt.Errorf("must be from 0 to %d", maxID)
		}
		return strconv.FormatInt(i, 10), nil
	}
	text, err := n.asText()
	if err != nil {
		return "", wrongType("a name or a whole number", n)
	}
	if text == "" {
		return "", errors.New("the name is empty")
	}
	return text, nil
}

// findUser finds a user; a number may be one that nobody has.
func (b *builder) findUser(text string) (*user.User, error) {
	if u, ok := b.users[text]; ok {
		return u, nil
	}
	u, err := user.Lookup(text)
	if err != nil {
		number, bad := strconv.ParseUint(text, 10, 32)
		if bad != nil || number > maxID {
			return nil, fmt.Errorf("there is no user %s on this system", cut(text, 80))
		}
		if u, err = user.LookupId(text); err != nil {
			u = &user.User{Uid: strconv.FormatUint(number, 10)}
		}
	}
	if b.users == nil {
		b.users = make(map[string]*user.User)
	}
	b.users[text] = u
	return u, nil
}

func (b *builder) findGroup(text string) (int, error) {
	if gid, ok := b.groups[text]; ok {
		return gid, nil
	}
	gid := 0
	if g, err := user.LookupGroup(text); err == nil {
		gid, err = strconv.Atoi(g.Gid)
		if err != nil {
			return 0, fmt.Errorf("the group %s has the number %q", cut(text, 80), g.Gid)
		}
	} else {
		number, bad := strconv.ParseUint(text, 10, 32)
		if bad != nil || number > maxID {
			return 0, fmt.Errorf("there is no group of users %s on this system", cut(text, 80))
		}
		gid = int(number)
	}
	if b.groups == nil {
		b.groups = make(map[string]int)
	}
	b.groups[text] = gid
	return gid, nil
}

// diffUser tells of another user, and of a user that has become somebody else.
func diffUser(old, next Process) string {
	same := old.User == next.User && old.Group == next.Group && slices.Equal(old.Groups, next.Groups)
	a, b := old.Identity, next.Identity
	if same && (a == nil || b == nil || !reflect.DeepEqual(a, b)) {
		return changed("identity", a.String(), b.String())
	}
	return changed("user", old.User, next.User)
}

// String is the identity for people: uid 33, gid 33, groups 4, 33, home /var/www.
func (id *Identity) String() string {
	if id == nil {
		return ""
	}
	text := fmt.Sprintf("uid %d, gid %d", id.UID, id.GID)
	if len(id.Groups) > 0 {
		text += ", groups " + showInts(id.Groups)
	}
	if id.Name != "" {
		text += ", name " + id.Name
	}
	if id.Home != "" {
		text += ", home " + id.Home
	}
	return text
}

// identity finds out what User, Group and Groups mean together, and whether this
// process may become that.
func (b *builder) identity(table *node, p *Process) {
	if p.User == "" && p.Group == "" && len(p.Groups) == 0 {
		return
	}
	id, err := b.identify(p)
	if err == nil {
		err = b.rights.become(id)
	}
	if err != nil {
		b.refuse(firstOf(table, "user", "primary_group", "groups"), err)
		return
	}
	p.Identity = id
}

func (b *builder) identify(p *Process) (*Identity, error) {
	id := &Identity{UID: b.rights.uid, GID: b.rights.gid, Groups: []int{}}
	var found *user.User
	var err error
	if p.User != "" {
		if found, err = b.findUser(p.User); err != nil {
			return nil, err
		}
		id.Name, id.Home = found.Username, found.HomeDir
		if id.UID, err = strconv.Atoi(found.Uid); err != nil {
			return nil, fmt.Errorf("the user %s has the number %q", p.User, found.Uid)
		}
	}
	switch {
	case p.Group != "":
		id.GID, err = b.findGroup(p.Group)
	case found != nil && found.Gid == "":
		err = errors.New("no user has this number, so primary_group must be said as well")
	case found != nil:
		id.GID, err = strconv.Atoi(found.Gid)
	}
	if err != nil {
		return nil, err
	}
	id.Groups, err = b.supplementary(p, found)
	return id, err
}

// supplementary are the groups that are listed, or else those of the user.
func (b *builder) supplementary(p *Process, found *user.User) ([]int, error) {
	list := p.Groups
	if list == nil && found != nil && found.Username != "" {
		var err error
		if list, err = found.GroupIds(); err != nil {
			return nil, fmt.Errorf("cannot find the groups of %s: %w", p.User, err)
		}
	}
	gids := []int{}
	for _, text := range list {
		gid, err := b.findGroup(text)
		if err != nil {
			return nil, err
		}
		gids = append(gids, gid)
	}
	slices.Sort(gids)
	return slices.Compact(gids), nil
}

// firstOf gives the first of some keys that a table has, or the table.
func firstOf(table *node, keys ...string) *node {
	for _, key := range keys {
		if n, ok := table.kids[key]; ok {
			return n
		}
	}
	return table
}
