package recipe

// Share is one dataset of a mixer and the fraction of its rows to take, beginning with the first row.
type Share struct {
	Name     string
	Fraction float64 // 0..1
}

// Mixer lists datasets in the order of the recipe, in which they are concatenated.
type Mixer []Share

// Names returns the names of the datasets.
func (m Mixer) Names() (names []string) {
	for _, share := range m {
		names = append(names, share.Name)
	}
	return names
}

// Switch is a YAML boolean or a word: true, false, or for some keys a third choice such as auto.
type Switch string

// The boolean values of a Switch, and Auto, which leaves the choice to the program.
const (
	Off  Switch = "false"
	On   Switch = "true"
	Auto Switch = "auto"
)
