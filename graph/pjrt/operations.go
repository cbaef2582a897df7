package pjrt

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Operation is one kind of matrix product, library call or exchange between devices in a compiled program, as XLA's optimised text has it.
type Operation struct {
	Name     string   // dot, all-gather, …; of a library call its target
	Operands []string // types of the first two, such as bf16[2048,4096]
	Result   string
	Count    int     // how often the program has it
	FLOPs    float64 // of all of them, on one device
}

// Work lists the costly operations of a compiled program, those with the most arithmetic first.
type Work struct{ Operations []Operation }

// FLOPs is the arithmetic of matrix products on one device: 2 for each multiplication and addition.
func (w *Work) FLOPs() (n float64) {
	if w == nil {
		return 0
	}
	for _, o := range w.Operations {
		n += o.FLOPs
	}
	return n
}

// String is the operation as -v shows it.
func (o Operation) String() string {
	return fmt.Sprintf("%d x %s(%s) -> %s", o.Count, o.Name, strings.Join(o.Operands, ", "), o.Result)
}

// costly tells whether an instruction is one that operationsOf lists.
func (i instruction) costly() bool {
	switch strings.TrimSuffix(i.opcode, "-start") {
	case "dot", "convolution", "custom-call", "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute":
		return true
	}
	return false
}

// operationsOf reads an optimised program: the bytes of a HloModuleProtoWithConfig (whose first field is the module) or of a
// HloModuleProto. The kinds with the most work come first.
func operationsOf(program []byte, withConfig bool) ([]Operation, error) {
	module := program
	if withConfig {
		module = nil
		if err := fields(program, func(field protowire.Number, _ uint64, data []byte) error {
			if field == 1 {
				module = data
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	kinds := map[string]*Operation{}
	err := fields(module, func(field protowire.Number, _ uint64, data []byte) error {
		if field != 3 { // a computation
			return nil
		}
		return addComputation(kinds, data)
	})
	if err != nil {
		return nil, err
	}
	var all []Operation
	for _, o := range kinds {
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.FLOPs, a.FLOPs), cmp.Compare(a.String(), b.String()))
	})
	return all, nil
}

// addComputation counts the instructions of one computation.
func addComputation(kinds map[string]*Operation, message []byte) error {
	var all []instruction
	shapes := map[uint64]array{}
	err := fields(message, func(field protowire.Number, _ uint64, data []byte) error {
		if field != 2 {
			return nil
		}
		i, err := parseInstruction(data)
		all, shapes[i.id] = append(all, i), i.shape
		return err
	})
	for _, i := range all {
		if !i.costly() {
			continue
		}
		operand := func(n int) array {
			if n < len(i.operands) {
				return shapes[i.operands[n]]
			}
			return array{}
		}
		o := Operation{Name: i.opcode, Result: i.shape.String()}
		if i.target != "" {
			o.Name = i.target
		}
		for n := range min(2, len(i.operands)) {
			o.Operands = append(o.Operands, operand(n).String())
		}
		key := o.String()
		if kinds[key] == nil {
			kinds[key] = &o
		}
		kinds[key].Count++
		kinds[key].FLOPs += i.flops(operand)
	}
	return err
}
