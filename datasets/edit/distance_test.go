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

func TestNearest(t *testing.T) {
	known := []string{"alpha", "beta", "b1", "learning_rate", "lr_scheduler_type", "max_length", "max_prompt_length"}
	for name, want := range map[string]string{
		"beat": "beta", "lerning_rate": "learning_rate", "zzzzzz": "", "max_lenght": "max_length",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}
