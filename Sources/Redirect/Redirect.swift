// Redirect
