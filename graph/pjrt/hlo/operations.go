// Package hlo lists the costly operations of a compiled program from its optimized HLO module.
package hlo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Operation is a group of equal instructions of an optimized program: a matrix product, a custom call or a
// collective operation, with the types of its operands and its result.
type Operation struct {
	Name     string   // dot, all-gather, …, or the target of a custom call
	Operands []string // types of the first two operands, such as bf16[2048,4096]
	Result   string   // type of the result, of a tuple's first element
	Count    int      // number of instructions
	FLOPs    float64  // of all these instructions, on one device
}

// Work lists the costly operations of a compiled program, with the most arithmetic first.
type Work struct{ Operations []Operation }

// FLOPs returns the arithmetic of all matrix products on one device: 2 for each multiplication and addition. It is
// 0 for nil.
func (w *Work) FLOPs() (n float64) {
	if w == nil {
		return 0
	}
	for _, o := range w.Operations {
		n += o.FLOPs
	}
	return n
}

// String returns one line for people, such as "2 x dot(bf16[4,8], bf16[16,8]) -> bf16[4,16]".
func (o Operation) String() string {
	return fmt.Sprintf("%d x %s(%s) -> %s", o.Count, o.Name, strings.Join(o.Operands, ", "), o.Result)
}

// costly reports whether Operations lists the instruction.
func (i instruction) costly() bool {
	switch strings.TrimSuffix(i.opcode, "-start") {
	case "dot", "convolution", "custom-call", "all-reduce", "all-gather", "reduce-scatter", "all-to-all",
		"collective-permute":
		return true
	}
	return false
}

// Operations parses an optimized program, a serialized HloModuleProtoWithConfig (whose first field is the module)
// or HloModuleProto, and returns its costly operations, with the most arithmetic first.
func Operations(program []byte, withConfig bool) ([]Operation, error) {
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
	groups := map[string]*Operation{}
	err := fields(module, func(field protowire.Number, _ uint64, data []byte) error {
		if field != 3 { // a computation
			return nil
		}
		return addComputation(groups, data)
	})
	if err != nil {
		return nil, err
	}
	var all []Operation
	for _, o := range groups {
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.FLOPs, a.FLOPs), cmp.Compare(a.String(), b.String()))
	})
	return all, nil
}

// addComputation adds the costly instructions of one HloComputationProto to groups, by the text of the operation.
func addComputation(groups map[string]*Operation, message []byte) error {
	var instructions []instruction
	shapes := map[uint64]array{}
	err := fields(message, func(field protowire.Number, _ uint64, data []byte) error {
		if field != 2 {
			return nil
		}
		i, err := parseInstruction(data)
		instructions, shapes[i.id] = append(instructions, i), i.shape
		return err
	})
	for _, i := range instructions {
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
		if groups[key] == nil {
			groups[key] = &o
		}
		groups[key].Count++
		groups[key].FLOPs += i.flops(operand)
	}
	return err
}
