package value

// Param is a parameter of a function.
type Param struct {
	Name    string
	Default Value // Required if there is none
}

// Required stands for the default of a parameter without one.
type Required struct{}

// Need returns parameters without defaults.
func Need(names ...string) []Param {
	params := make([]Param, len(names))
	for i, name := range names {
		params[i] = Param{name, Required{}}
	}
	return params
}

// Opt returns params and one more, with a default.
func Opt(params []Param, name string, v Value) []Param {
	return append(params[:len(params):len(params)], Param{name, v})
}

// Bind returns the values of the parameters of a function, in their order.
func (a Args) Bind(function string, params []Param) []Value {
	if len(a.Positional) > len(params) {
		failType("%s() takes at most %d arguments (%d given)", function, len(params), len(a.Positional))
	}
	values := make([]Value, len(params))
	named := 0
	for i, p := range params {
		v, isNamed := Value(nil), false
		if a.Named.Len() > 0 {
			v, isNamed = a.Named.Get(p.Name)
		}
		switch {
		case i < len(a.Positional):
			if isNamed {
				failType("%s() got multiple values for argument '%s'", function, p.Name)
			}
			values[i] = a.Positional[i]
		case isNamed:
			values[i] = v
			named++
		default:
			if _, ok := p.Default.(Required); ok {
				failType("%s() misses the argument '%s'", function, p.Name)
			}
			values[i] = p.Default
		}
	}
	if named < a.Named.Len() {
		for key := range a.Named.All() {
			found := false
			for _, p := range params {
				found = found || p.Name == key
			}
			if !found {
				failType("%s() got an unexpected keyword argument '%v'", function, key)
			}
		}
	}
	return values
}

// RefuseNamed fails if there are keyword arguments.
func (a Args) RefuseNamed(function string) {
	if a.Named.Len() > 0 {
		failType("%s() takes no keyword arguments", function)
	}
}
