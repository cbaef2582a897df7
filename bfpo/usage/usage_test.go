package usage

import "testing"

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
