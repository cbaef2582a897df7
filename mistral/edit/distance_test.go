package edit

import "testing"

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ab", "ba", 2}} {
		if got := Distance(test.a, test.b); got != test.want {
			t.Errorf("%s to %s: %d edits, want %d", test.a, test.b, got, test.want)
		}
	}
}
