package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

// unreadKeys counts the rows whose messages have a key, such as name or weight, that the chat template does not read.
type unreadKeys struct {
	template *chat.Template // nil: no key is counted
	rows     map[string]int
}

// add counts the keys of a row's messages.
func (u *unreadKeys) add(messages ...[]chat.Message) {
	if u.template == nil {
		return
	}
	found := map[string]bool{}
	for _, m := range slices.Concat(messages...) {
		for _, key := range m.Keys() {
			found[key] = !u.template.Mentions(key)
		}
		if m.HasParts() {
			found["content (a list of parts)"] = !u.template.ReadsParts()
		}
	}
	for key, unread := range found {
		if !unread {
			continue
		}
		if u.rows == nil {
			u.rows = map[string]int{}
		}
		u.rows[key]++
	}
}

// notes returns what the user should know about the keys.
func (u *unreadKeys) notes() []string {
	if len(u.rows) == 0 {
		return nil
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(u.rows)) {
		list = append(list, fmt.Sprintf("%s (rows: %d)", key, u.rows[key]))
	}
	if len(list) > maxUnreadKeys {
		list = append(list[:maxUnreadKeys], "…")
	}
	return []string{"keys of messages that the chat template does not read: " + strings.Join(list, ", ")}
}

// maxUnreadKeys is the number of keys that a note lists.
const maxUnreadKeys = 10
