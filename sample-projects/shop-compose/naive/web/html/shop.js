fetch("/api/products")
  .then((response) => response.json())
  .then((products) => {
    for (const product of products) {
      const item = document.createElement("li");
      item.textContent = `${product.name}: ${(product.cents / 100).toFixed(2)} €`;
      document.getElementById("products").append(item);
    }
  });
