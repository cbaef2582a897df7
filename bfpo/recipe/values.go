package recipe

// Share is one dataset of a mixer and the fraction of its rows to take, counted from the first.
type Share struct {
	Name     string
	Fraction float64 // 0..1
}

// Mixer lists datasets in the order of the recipe, which is the order in which they are concatenated.
type Mixer []Share

// Switch is a YAML boolean or a word: true, false, or for some keys a third choice such as auto.
type Switch string

// The two boolean values of a Switch, and the choice left to the program.
const (
	Off  Switch = "false"
	On   Switch = "true"
	Auto Switch = "auto"
)
