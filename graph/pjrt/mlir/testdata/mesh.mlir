module @proto attributes {stablehlo.num_replicas = 4} {
  func.func @main(%w: tensor<2x3xf32>, %mesh_shard: tensor<i32>) -> (tensor<4x3xf32>, tensor<2x3xf32>) {
    %0 = "stablehlo.constant"() { value = dense<0.0> : tensor<f32> } : () -> tensor<f32>
    %1 = "stablehlo.broadcast_in_dim"(%0) { broadcast_dimensions = array<i64> } : (tensor<f32>) -> tensor<4x3xf32>
    %2 = "stablehlo.constant"() { value = dense<2> : tensor<i32> } : () -> tensor<i32>
    %3 = "stablehlo.multiply"(%mesh_shard, %2) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %4 = "stablehlo.constant"() { value = dense<0> : tensor<i32> } : () -> tensor<i32>
    %5 = "stablehlo.dynamic_update_slice"(%1, %w, %3, %4) : (tensor<4x3xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<4x3xf32>
    %7 = "stablehlo.all_reduce"(%5) ({
      ^computation(%lhs: tensor<f32>, %rhs: tensor<f32>) :
          %6 = "stablehlo.add"(%lhs, %rhs) : (tensor<f32>, tensor<f32>) -> tensor<f32>
          "stablehlo.return"(%6) : (tensor<f32>) -> ()
    }) { replica_groups = dense<[[0, 1], [2, 3]]> : tensor<2x2xi64> } : (tensor<4x3xf32>) -> tensor<4x3xf32>
    %10 = "stablehlo.add"(%7, %7) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
    %11 = "stablehlo.all_reduce"(%10) ({
      ^computation(%lhs: tensor<f32>, %rhs: tensor<f32>) :
          %6 = "stablehlo.add"(%lhs, %rhs) : (tensor<f32>, tensor<f32>) -> tensor<f32>
          "stablehlo.return"(%6) : (tensor<f32>) -> ()
    }) { replica_groups = dense<[[0, 2], [1, 3]]> : tensor<2x2xi64> } : (tensor<4x3xf32>) -> tensor<4x3xf32>
    %12 = "stablehlo.constant"() { value = dense<0> : tensor<i32> } : () -> tensor<i32>
    %13 = "stablehlo.dynamic_slice"(%11, %3, %12) { slice_sizes = array<i64: 2, 3> } : (tensor<4x3xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
    "stablehlo.return"(%10, %13) : (tensor<4x3xf32>, tensor<2x3xf32>) -> ()
  }
}
