package evaluate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Identity names, by their content, the things that the results of an evaluation depend on: digests and settings by
// name, such as "model" and "seed".
type Identity map[string]string

// Digest returns a hash of the names and values.
func (i Identity) Digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(i)) {
		fmt.Fprintf(h, "%q %q\n", name, i[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// differing lists the names whose values differ, sorted.
func (i Identity) differing(now Identity) (names []string) {
	for name, value := range now {
		if was, ok := i[name]; !ok || was != value {
			names = append(names, name)
		}
	}
	for name := range i {
		if _, ok := now[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// listNames lists names for a message, as "a, b and c".
func listNames(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
