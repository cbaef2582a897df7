package hlo

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// instruction holds the fields of one HloInstructionProto that Operations needs. The numbers of fields in this file
// are those of XLA's HloModuleProto and the messages in it.
type instruction struct {
	opcode, target string // target is the name of a custom call
	id             uint64
	shape          array
	operands       []uint64
	contracted     []uint64 // the contracted axes of a dot's left operand
	config         string
}

// array is the type of a value. A tuple has the types of its elements in parts.
type array struct {
	element uint64 // PrimitiveType
	dims    []uint64
	parts   []array
}

// elementNames are the names of common element types; String shows others by their number.
var elementNames = map[uint64]string{
	1: "pred", 2: "s8", 4: "s32", 5: "s64", 6: "u8", 8: "u32", 9: "u64", 10: "f16", 11: "f32", 12: "f64", 16: "bf16",
}

func (a array) String() string {
	if len(a.parts) > 0 {
		return a.parts[0].String() // the others are statistics and temporary memory
	}
	name := elementNames[a.element]
	if name == "" {
		name = fmt.Sprintf("type%d", a.element)
	}
	dims := make([]string, len(a.dims))
	for i, d := range a.dims {
		dims[i] = strconv.FormatUint(d, 10)
	}
	return name + "[" + strings.Join(dims, ",") + "]"
}

func (a array) size() float64 {
	n := 1.0
	for _, d := range a.dims {
		n *= float64(d)
	}
	return n
}

// fields calls visit with each field of a message, with number for varint fields and data for length-delimited
// ones.
func fields(message []byte, visit func(field protowire.Number, number uint64, data []byte) error) error {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var number uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if err := visit(field, number, data); err != nil {
			return err
		}
	}
	return nil
}

// appendNumbers appends the values of a repeated integer field, which is packed in data or has the one value
// number.
func appendNumbers(list []uint64, number uint64, data []byte) []uint64 {
	if data == nil {
		return append(list, number)
	}
	for len(data) > 0 {
		value, n := protowire.ConsumeVarint(data)
		if n < 0 {
			break
		}
		list, data = append(list, value), data[n:]
	}
	return list
}

func parseArray(message []byte) (a array, err error) {
	err = fields(message, func(field protowire.Number, number uint64, data []byte) error {
		switch field {
		case 2:
			a.element = number
		case 3:
			a.dims = appendNumbers(a.dims, number, data)
		case 4:
			part, err := parseArray(data)
			a.parts = append(a.parts, part)
			return err
		}
		return nil
	})
	return a, err
}

func parseInstruction(message []byte) (i instruction, err error) {
	err = fields(message, func(field protowire.Number, number uint64, data []byte) (err error) {
		switch field {
		case 2:
			i.opcode = string(data)
		case 3:
			i.shape, err = parseArray(data)
		case 28:
			i.target = string(data)
		case 30:
			err = fields(data, func(field protowire.Number, number uint64, data []byte) error {
				if field == 1 {
					i.contracted = appendNumbers(i.contracted, number, data)
				}
				return nil
			})
		case 35:
			i.id = number
		case 36:
			i.operands = appendNumbers(i.operands, number, data)
		case 43:
			i.config = string(data)
		}
		return err
	})
	return i, err
}

// callConfig holds the contracted axes from the configuration of a cuBLAS call and the mask from that of a cuDNN
// attention call.
type callConfig struct {
	Gemm struct {
		Dims struct {
			Contracted []string `json:"lhs_contracting_dimensions"`
		} `json:"dot_dimension_numbers"`
	} `json:"gemm_backend_config"`
	Attention struct {
		Mask string `json:"mask_type"`
	} `json:"cudnn_fmha_backend_config"`
}

// flops counts the arithmetic of an instruction's matrix products: 2 for each multiplication and addition.
// Attention computes 2 products of [S, hd] or [S, S] matrices per head in the forward pass and 5 in the backward
// pass, and skips half of them under a causal mask. Custom calls of package kernels count likewise; their attention
// is causal.
func (i instruction) flops(operand func(n int) array) float64 {
	contracted := i.contracted
	result := i.shape
	if len(result.parts) > 0 {
		result = result.parts[0]
	}
	switch {
	case i.target == mlir.ProductTarget && len(result.dims) > 0:
		return 2 * operand(0).size() * float64(result.dims[len(result.dims)-1])
	case i.target == mlir.AttentionTarget && len(operand(0).dims) == 4:
		return 2 * operand(0).size() * float64(operand(0).dims[1])
	case i.target == mlir.AttentionGradientTarget && len(operand(0).dims) == 4:
		return 5 * operand(0).size() * float64(operand(0).dims[1])
	}
	if i.opcode == "custom-call" {
		var config callConfig
		if json.Unmarshal([]byte(i.config), &config) != nil {
			return 0
		}
		if strings.HasPrefix(i.target, "__cudnn$fmha") && len(result.dims) == 4 {
			products := 2.0
			if strings.Contains(i.target, "Backward") {
				products = 5
			}
			if strings.Contains(config.Attention.Mask, "CAUSAL") {
				products /= 2
			}
			return 2 * products * result.size() * float64(result.dims[2])
		}
		for _, axis := range config.Gemm.Dims.Contracted {
			if n, err := strconv.ParseUint(axis, 10, 8); err == nil {
				contracted = append(contracted, n)
			}
		}
	}
	if len(contracted) == 0 {
		return 0
	}
	n, left := 2*result.size(), operand(0)
	for _, axis := range contracted {
		if axis < uint64(len(left.dims)) {
			n *= float64(left.dims[axis])
		}
	}
	return n
}
