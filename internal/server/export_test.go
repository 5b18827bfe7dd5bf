package server

// InferenceRoutes are the endpoints by which clients reach models.
var InferenceRoutes = inferenceRoutes
